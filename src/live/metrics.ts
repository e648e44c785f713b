/** What a server counts, as Prometheus reads it (text format 0.0.4). */

type Kind = 'counter' | 'gauge';

interface Series {
  kind: Kind;
  help: string;
  values: Map<string, number>;
}

export interface Metrics {
  /** Adds to a counter; `label` is its one label and value, as `status="200"`. */
  count(name: string, by?: number, label?: string): void;
  set(name: string, value: number): void;
  text(): string;
}

/** Every series there is: its kind and what it tells. */
const SERIES: Readonly<Record<string, readonly [Kind, string]>> = {
  s2a_requests_total: ['counter', 'Requests by the status they were answered with.'],
  s2a_answers_total: ['counter', 'Pictures that were answered.'],
  s2a_unknown_total: ['counter', 'Of them those that are like nothing learnt.'],
  s2a_answer_seconds_total: ['counter', 'Seconds that answers took, waiting left out.'],
  s2a_pictures_added_total: ['counter', 'Labelled pictures that were taken.'],
  s2a_waiting: ['gauge', 'Requests that are read or wait for their answer.'],
  s2a_resident_bytes: ['gauge', 'Resident memory of the process.'],
  s2a_linear_bytes: ['gauge', 'Linear memory of the classifier.'],
  s2a_classes: ['gauge', 'Classes that are known.'],
  s2a_adapter: ['gauge', 'Number of the adapter in use.'],
  s2a_new_pictures: ['gauge', 'Pictures that no round has had.'],
  s2a_learning: ['gauge', '1 while a round goes on.'],
  s2a_round_steps: ['gauge', 'Steps of the round that goes on.'],
  s2a_round_step: ['gauge', 'Steps that it has taken.'],
  s2a_rounds_accepted_total: ['counter', 'Rounds whose adapter was accepted.'],
  s2a_rounds_refused_total: ['counter', 'Rounds whose adapter was refused.'],
  s2a_problem: ['gauge', '1 while something keeps it from learning.'],
};

export function createMetrics(): Metrics {
  const all = new Map<string, Series>();
  const of = (name: string): Series => {
    const [kind, help] = SERIES[name]!;
    const found = all.get(name) ?? { kind, help, values: new Map() };
    all.set(name, found);
    return found;
  };
  for (const name of ['s2a_answers_total', 's2a_unknown_total', 's2a_answer_seconds_total', 's2a_pictures_added_total'])
    of(name).values.set('', 0);
  return {
    count(name, by = 1, label = '') {
      const { values } = of(name);
      values.set(label, (values.get(label) ?? 0) + by);
    },
    set: (name, value) => void of(name).values.set('', value),
    text: () =>
      [...all]
        .flatMap(([name, { kind, help, values }]) => [
          `# HELP ${name} ${help}`,
          `# TYPE ${name} ${kind}`,
          ...[...values].map(([label, value]) => `${name}${label && `{${label}}`} ${value}`),
        ])
        .map((line) => `${line}\n`)
        .join(''),
  };
}
