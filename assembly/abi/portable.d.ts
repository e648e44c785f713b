/** For the host's compiler: what AssemblyScript calls a whole number, in the files that both compile (abi/bounds.ts says which). */
type i32 = number;
