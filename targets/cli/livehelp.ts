/** What --help prints of the commands that go on: watch and serve. */
export const LIVE_HELP: Readonly<Record<string, string>> = {
  watch: `s2a watch <model folder> <pictures> --out <folder> [options]: learns as pictures come

New pictures in class folders (or rows of labels.csv) start a training run from the adapter in use.
The new adapter takes its place only if it is no worse on the pictures held out of earlier runs and
on those that are remembered; else its pictures are set aside, and join the next run once more. Ends
with a signal; killed at any time, it goes on at its next start. serve, predict and eval take the
folder for the adapter in use.

  --out DIR                  adapters, state and log.jsonl
  --after N                  a run once there are N new pictures (20, where nothing else is said)
  --every TIME               or so long after the last run, where there are any: 15m, 6h, 1d
  --at HH:MM,...             or at these times of day
  --keep-last N              adapters that are kept, with the one in use (3)
  --tolerance X              share of held-out pictures that may be lost, in sum over runs (0.02,
                             and one picture at least)
  --look TIME                how often the folder is looked at (5s)
  --from ADAPTER             what it begins with
  --memory SIZE              pictures that adapters remember (512KiB; 0: none, and every run learns
                             from the whole folder)
  --hold-out X               share of each class that judges (0.2)
  --status                   how the folder of --out stands
  --rollback                 the adapter before is in use again, the last run's pictures set aside
  --json                     the log's lines on standard output
  and the options of train, but --resume, --overwrite, --report, --log and those of other tasks

  s2a watch models/vit-tiny photos --out watched --at 03:00 --after 50 --process-budget 160MiB
  s2a watch --rollback --out watched`,
  serve: `s2a serve <model folder> [adapter] [options]: answers over HTTP

POST a JPEG, PNG or WebP to /predict and get JSON; GET / is a page to try it from a phone. The
adapter may be the folder of a watch: its changes are followed. Without one the model's own head.

  --port N                   (8080; 0: any that is free)
  --host ADDRESS             what it listens on (127.0.0.1); beyond this machine only with --token
  --token FILE               who asks must know what is in it; made, with a token, if not there
  --watch PICTURES           goes on learning from this folder, as s2a watch does, with its options
                             and --out; [adapter] is then what it begins with
  --pictures FOLDER          takes labelled pictures (POST /pictures?label=NAME) into it; that of
                             --watch
  --process-budget SIZE      most memory of the whole process, answers and learning
  --unknown SHARE|off        as for predict (5%)
  --budget, --weights, --threads, --stored, --json as for predict and train

  s2a serve models/vit-tiny my-adapter
  curl --data-binary @door.jpg 'localhost:8080/predict?top=3'
  s2a serve models/vit-tiny --watch photos --out watched --host 0.0.0.0 --token token.txt`,
};
