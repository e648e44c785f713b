// Preloaded: while a file named by FULL_DISK is there, whatever writes to files says that the disk is full.
import { createRequire, syncBuiltinESMExports } from 'node:module';

const fs = createRequire(import.meta.url)('node:fs');
const { writeSync, appendFileSync, existsSync } = fs;
const flag = process.env.FULL_DISK;

function refuseIfFull() {
  if (flag !== undefined && existsSync(flag))
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', syscall: 'write' });
}
fs.writeSync = (fd, ...rest) => {
  if (fd > 2) refuseIfFull();
  return writeSync(fd, ...rest);
};
fs.appendFileSync = (...args) => {
  refuseIfFull();
  return appendFileSync(...args);
};
syncBuiltinESMExports();
