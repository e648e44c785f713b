/**
 * The files that s2a has beside its code: the engine, and what its threads and its decoder run. They lie beside the bundle in dist/, in a checkout's
 * build/ or dist/, or, where another bundler has put our code elsewhere, still in the package as it was installed.
 */
import nodeModule from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { EngineError } from './error.ts';
import { firstFile } from './files.ts';

/** Where our code lies. A bundle in CommonJS knows no address of its own: the program that was started stands for it. */
export const HERE = import.meta.url ?? pathToFileURL(process.argv[1] ?? join(process.cwd(), 'program.js')).href;

/** A `require` that looks for packages from `address`. By the default import: webpack would put nothing in the place of a `createRequire` that it knows. */
export const requireFrom = (address: string): NodeJS.Require => nodeModule.createRequire(address);

/** Where a file of ours lies; undefined where it is nowhere. `at`: where a bundler that copies such files along has put it. */
export function findOwn(name: string, at?: URL): URL | undefined {
  if (at?.protocol === 'file:') {
    const copied = firstFile([`./${at.pathname.split('/').at(-1)}`], at.href);
    if (copied) return copied;
  }
  const places = ['./', '../build/', '../../build/', './dist/', '../dist/', '../../dist/', '../../../dist/', '../', '../../'];
  return (
    firstFile(
      places.map((place) => place + name),
      HERE,
    ) ?? installed(name)
  );
}

/** The same, or an error that says how to get there. */
export function ownFile(name: string, at?: URL): URL {
  const found = findOwn(name, at);
  if (found) return found;
  const isSource = HERE.endsWith('.ts');
  throw new EngineError({
    where: name,
    what: `is missing beside ${HERE.startsWith('file:') ? dirname(fileURLToPath(HERE)) : HERE}`,
    hint: isSource
      ? 'run npm run build'
      : name.startsWith('engine')
        ? `copy it there from node_modules/s2a/dist, keep s2a out of the bundle, or give it: useEngine({ '${name}': bytes or URL })`
        : 'copy node_modules/s2a/dist there, or keep s2a out of the bundle (as an external package)',
  });
}

/** In the package, as seen from the code and from the working folder. */
function installed(name: string): URL | undefined {
  for (const from of [() => HERE, () => pathToFileURL(join(process.cwd(), 'program.js')).href]) {
    try {
      return pathToFileURL(requireFrom(from()).resolve(`s2a/${name}`));
    } catch {
      // Not from there.
    }
  }
  return undefined;
}
