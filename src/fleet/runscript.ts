/**
 * The shell's lines by which a board does an order: a POSIX shell, sha256sum and a WASI runtime are all that they need. What is done is done over a copy
 * of the order that was found whole, so neither a copy under way nor the next order disturbs it; called again they go on where they stood.
 */

/** What is asked of a board. */
export type OrderKind = 'count' | 'train' | 'evaluate' | 'sums';

const PROGRAM = 'work/order/program.s2a';

/** The calls of s2a.wasm, and the files of work/ that become the answer. */
function commandsOf(kind: OrderKind, more: string): string {
  const about = `$S2A info ${PROGRAM} --data "$DATA" > work/answer/info.txt`;
  if (kind === 'count') return about;
  if (kind === 'evaluate')
    return `${about}
if grep -q '^to judge by *0:' work/answer/info.txt; then
  echo '{"count":0}' > work/answer/judged.json
else
  $S2A eval ${PROGRAM} --model "$MODEL" --adapter work/order --data "$DATA" --json${more} > work/answer/judged.json
fi`;
  if (kind === 'sums')
    return `${about}
$S2A sums ${PROGRAM} --model "$MODEL" --adapter work/order --data "$DATA" --out work/answer${more}`;
  return `${about}
code=0
$S2A train ${PROGRAM} --model "$MODEL" --data "$DATA" --from work/order --out work/out --unjudged --resume${more} || code=$?
if [ $code = 4 ]; then
  echo 'a number that was learnt is NaN or infinite (exit code 4)' > work/answer/error.txt
elif [ $code != 0 ]; then
  exit $code
else
  cp work/out/adapter_model.safetensors work/answer/
  tail -n 1 work/out/run/metrics.jsonl > work/answer/metrics.jsonl
fi`;
}

/** The whole script. `title` stands in its head, on one line; `more`: further words for what learns or judges. */
export const runScript = (kind: OrderKind, title: string, more: string): string => `#!/bin/sh
# ${title}
# In the board's folder: sh order/run.sh
# S2A: how s2a.wasm is run, with this folder open to it; MODEL: the model folder or its weights file; DATA: the folder of arrays.
{
set -eu
: "\${S2A:=wasmtime --dir . s2a.wasm}" "\${MODEL:=model}" "\${DATA:=data}"
mkdir -p work
rm -rf work/new
cp -r order work/new
if ! (cd work/new && sha256sum -c digests > /dev/null 2>&1); then
  echo 'order/ is not here whole, or is just being written: try again' >&2
  exit 2
fi
if cmp -s work/new/digests work/order/digests; then rm -rf work/new
else
  rm -rf work/order work/out
  mv work/new work/order
fi
rm -rf work/answer
mkdir work/answer
cp work/order/digests work/answer/order
${commandsOf(kind, more)}
mkdir -p answer
rm -f answer/digests
cp work/answer/* answer/
(cd work/answer && sha256sum *) > answer/digests.part
sync
mv answer/digests.part answer/digests
echo 'done: answer/ is whole' >&2
exit
}
`;
