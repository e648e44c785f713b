// The reference of the library, docs/api.md, from the sources' own declarations and comments, read by the type checker's parser:
//
//     npm run api              writes it
//     npm run api -- --check   ends with 1 where it is not what the sources say; npm test asks the same (test/house/api.test.ts)
import { readFileSync, writeFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { SyntaxKind } from 'typescript/unstable/ast';
import { API, SymbolFlags } from 'typescript/unstable/sync';

/**
 * @typedef {import('typescript/unstable/ast').Node} Node
 * @typedef {import('typescript/unstable/sync').Checker} Checker
 * @typedef {{ name: string, kind: 'function' | 'class' | 'type' | 'value', isExported: boolean, file: string, doc: string, code: string,
 *   mentions: string[], members: Member[], declaration: Node }} Entry
 * @typedef {{ name: string, type: string, doc: string }} Member
 */

const PAGE = 'docs/api.md';
const KINDS = new Map([
  [SyntaxKind.FunctionDeclaration, 'function'],
  [SyntaxKind.ClassDeclaration, 'class'],
  [SyntaxKind.InterfaceDeclaration, 'type'],
  [SyntaxKind.TypeAliasDeclaration, 'type'],
  [SyntaxKind.EnumDeclaration, 'type'],
]);

/** A doc comment's text: without its stars; sentences keep their lines, so that lists and examples stay. */
const docText = (comment) =>
  comment
    .replace(/^\/\*\*\s*|\s*\*\/$/g, '')
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, ''))
    .join('\n')
    .trim();

/** The doc comment that stands right before a declaration, or before the statement that it is part of. */
function docOf(node) {
  const whole = node.kind === SyntaxKind.VariableDeclaration ? node.parent.parent : node;
  const text = whole.getSourceFile().text;
  const before = text.slice(whole.getFullStart(), whole.getStart());
  const comment = [...before.matchAll(/\/\*\*[\s\S]*?\*\//g)].at(-1)?.[0];
  return comment === undefined ? '' : docText(comment);
}

/** Text of a node's declaration without what is done inside: a function up to its body, a class with its public members alone. */
function codeOf(node) {
  const text = node.getSourceFile().text;
  const upTo = (from, end) => text.slice(from, end).trimEnd();
  if (node.kind === SyntaxKind.ClassDeclaration) return classCode(node);
  if (node.kind === SyntaxKind.FunctionDeclaration) return `${upTo(node.getStart(), node.body.getStart())};`.replace(/^export /, '');
  if (node.kind !== SyntaxKind.VariableDeclaration) return node.getText().replace(/^export /, '');
  const made = node.initializer;
  if (made?.kind !== SyntaxKind.ArrowFunction) return `const ${upTo(node.getStart(), node.type ? node.type.end : node.end)};`;
  const signature = upTo(made.getStart(), made.type?.end ?? made.equalsGreaterThanToken.getStart());
  return `function ${node.name.getText()}${signature.replace(/^async /, '')};`;
}

const isHidden = (member) =>
  (member.modifiers ?? []).some(({ kind }) => kind === SyntaxKind.PrivateKeyword || kind === SyntaxKind.ProtectedKeyword);

function classCode(node) {
  const text = node.getSourceFile().text;
  const members = node.members.filter((member) => !isHidden(member));
  const head = text
    .slice(node.getStart(), node.members.pos)
    .trimEnd()
    .replace(/^export /, '');
  const lines = members.map((member) => {
    const doc = docOf(member);
    const comment = doc === '' ? '' : `  /** ${doc.replaceAll('\n', '\n   * ')} */\n`;
    const end = member.body?.getStart() ?? member.initializer?.getFullStart() ?? member.end;
    return `${comment}  ${text.slice(member.getStart(), end).replace(/\s*(=\s*)?;?\s*$/, '')};`;
  });
  return `${head}\n${lines.join('\n')}\n}`;
}

/** Members of an interface, a class or an object type. */
function membersOf(node) {
  const list = node.members ?? node.type?.members ?? [];
  return list
    .filter((member) => member.name !== undefined && !isHidden(member))
    .map((member) => ({ name: member.name.getText(), type: member.type?.getText() ?? '', doc: docOf(member) }));
}

/** Declarations of ours that a node's types name, each with the name that it has where it is declared. */
function mentioned(node, checker, root) {
  const found = new Map();
  const isBody = (child) => child === node.body || child === node.initializer?.body;
  const visit = (child) => {
    if (isBody(child)) return;
    if (child.kind === SyntaxKind.TypeReference || child.kind === SyntaxKind.ExpressionWithTypeArguments) {
      const symbol = symbolOf(checker, child.typeName ?? child.expression);
      const [declaration] = declarationsOf(symbol);
      if (declaration !== undefined && isOurs(declaration, root) && KINDS.has(declaration.kind)) found.set(symbol.name, declaration);
    }
    child.forEachChild(visit);
  };
  node.forEachChild(visit);
  return found;
}

const isOurs = (declaration, root) => {
  const path = relative(root, declaration.getSourceFile().fileName);
  return !path.startsWith('..') && !path.includes('node_modules');
};
function symbolOf(checker, name) {
  const symbol = checker.getSymbolAtLocation(name);
  return symbol === undefined ? undefined : resolved(checker, symbol);
}
/** What an import or an export stands for. */
function resolved(checker, symbol) {
  return symbol.flags & SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
}
const declarationsOf = (symbol) => (symbol?.declarations ?? []).map((handle) => handle.resolve()).filter((node) => node !== undefined);

/**
 * Everything public, and every type of ours that it mentions, whether exported by name or not, by name.
 *
 * @returns {Map<string, Entry>}
 */
export function readApi(root = process.cwd()) {
  const api = new API({ cwd: root });
  try {
    const snapshot = api.updateSnapshot({ openProjects: [resolve(root, 'tsconfig.types.json')] });
    const { program, checker } = snapshot.getProjects()[0];
    const index = program.getSourceFile(resolve(root, 'src/index.ts'));
    const module = index === undefined ? undefined : checker.getSymbolAtLocation(index);
    if (module === undefined) throw new Error('src/index.ts exports nothing');
    const exported = checker.getExportsOfModule(module);
    const entries = new Map();
    const add = (name, declaration, isExported) => {
      if (entries.has(name) || declaration === undefined) return;
      const kind = KINDS.get(declaration.kind) ?? (declaration.initializer?.kind === SyntaxKind.ArrowFunction ? 'function' : 'value');
      const mentions = mentioned(declaration, checker, root);
      entries.set(name, {
        name,
        kind,
        isExported,
        file: relative(root, declaration.getSourceFile().fileName),
        doc: docOf(declaration),
        code: codeOf(declaration),
        mentions: [...mentions.keys()].filter((other) => other !== name),
        members: membersOf(declaration),
        declaration,
      });
      for (const [other, its] of mentions) add(other, its, false);
    };
    const publics = exported.map((symbol) => [symbol.name, declarationsOf(resolved(checker, symbol))[0]]);
    for (const [name, declaration] of publics) {
      entries.delete(name);
      add(name, declaration, true);
    }
    return entries;
  } finally {
    api.close();
  }
}

/** Prose as Markdown: a name in angle brackets is no tag. */
const prose = (text) =>
  text
    .split(/(`[^`]*`)/)
    .map((piece, i) => (i % 2 ? piece : piece.replaceAll('<', '&lt;')))
    .join('');

/** @param {Entry} entry @param {Set<string>} shown */
function section({ name, doc, code, mentions }, shown) {
  const links = mentions.filter((other) => shown.has(other)).map((other) => `[${other}](#${other.toLowerCase()})`);
  return [
    `### ${name}`,
    ...(doc === '' ? [] : [prose(doc)]),
    `\`\`\`ts\n${code}\n\`\`\``,
    ...(links.length === 0 ? [] : [`Mentions ${links.join(', ')}.`]),
  ].join('\n\n');
}

/** The page's text. */
export function apiPage(entries = readApi()) {
  const all = [...entries.values()].sort((a, b) => (a.name.toLowerCase() < b.name.toLowerCase() ? -1 : 1));
  const exported = all.filter((entry) => entry.isExported);
  const named = new Set(exported.flatMap(({ mentions }) => mentions));
  const others = all.filter((entry) => !entry.isExported && named.has(entry.name));
  const shown = new Set([...exported, ...others].map(({ name }) => name));
  const part = (title, some) => [`## ${title}`, ...some.map((entry) => section(entry, shown))];
  const isKind = (...kinds) => exported.filter(({ kind }) => kinds.includes(kind));
  return `${[
    '# API',
    "What `import … from 's2a'` gives, made by `npm run api` from the comments in the sources: change those, not this page. [The library](library.md) says how\nthey go together; [errors](errors.md) lists the codes.",
    ...part('Functions and values', isKind('function', 'value')),
    ...part('Errors', isKind('class')),
    ...part('Types', isKind('type')),
    ...part('Types that these mention', others),
  ].join('\n\n')}\n`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const text = apiPage();
  if (!process.argv.includes('--check')) writeFileSync(PAGE, text);
  else if (readFileSync(PAGE, 'utf8') !== text) {
    console.log(`${PAGE} is not what the sources say: npm run api`);
    process.exit(1);
  }
}
