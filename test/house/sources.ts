/** The sources as TypeScript's own parser reads them, AssemblyScript and JavaScript included: for tests that hold what no type can. */
import { dirname, relative, resolve } from 'node:path';
import { type Node, type SourceFile, SyntaxKind } from 'typescript/unstable/ast';

/** Every source file that a configuration names, by its path from the top folder. Nothing is resolved or checked, only parsed. */
export async function parsed(configuration: string): Promise<Map<string, SourceFile>> {
  const { API } = await import('typescript/unstable/sync');
  const api = new API({ cwd: dirname(resolve(configuration)) });
  try {
    const [project] = api.updateSnapshot({ openProjects: [resolve(configuration)] }).getProjects();
    if (project === undefined) throw new Error(`${configuration}: no project`);
    const names = project.program.getSourceFileNames().filter((name) => !name.includes('node_modules'));
    return new Map(names.map((name) => [relative('.', name), project.program.getSourceFile(name)!]));
  } finally {
    api.close();
  }
}

export interface FunctionFound {
  /** Where it is and what it is called: `src/plan/place.ts place`. */
  name: string;
  /** Of its body, from brace to brace: a list of parameters is as long as it must be. */
  lines: number;
  parameters: number;
}

const FUNCTIONS: ReadonlySet<SyntaxKind> = new Set([
  SyntaxKind.FunctionDeclaration,
  SyntaxKind.FunctionExpression,
  SyntaxKind.ArrowFunction,
  SyntaxKind.MethodDeclaration,
  SyntaxKind.Constructor,
  SyntaxKind.GetAccessor,
  SyntaxKind.SetAccessor,
]);

/** What a function is called: by its own name, or by what it is assigned to. */
const nameOf = (node: Node): string => {
  const named = [node, node.parent].find((n) => 'name' in n && n.name !== undefined) as (Node & { name: Node }) | undefined;
  return named?.name.getText() ?? '(nameless)';
};

/** Every function of a file that has a body, inner ones too. */
export function functionsOf(path: string, file: SourceFile): FunctionFound[] {
  const found: FunctionFound[] = [];
  const lineOf = (at: number): number => file.text.slice(0, at).split('\n').length;
  const visit = (node: Node): void => {
    if (FUNCTIONS.has(node.kind) && 'body' in node && node.body !== undefined)
      found.push({
        name: `${path} ${nameOf(node)}`,
        lines: lineOf(node.end) - lineOf((node.body as Node).getStart(file)) + 1,
        parameters: (node as unknown as { parameters: readonly Node[] }).parameters.length,
      });
    node.forEachChild(visit);
  };
  visit(file);
  return found;
}
