// The clock of every benchmark here: processor time of this process in ms, to the microsecond. On a busy machine the time that other
// programs take is not counted, and one thread is measured; what they take from the caches and from a shared core still shows.
export function processorTime() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e3;
}
