/** For the host's compiler: what AssemblyScript calls a whole number, in the files that both compile (src/groups.ts says which). */
type i32 = number;
