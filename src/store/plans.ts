/**
 * The port to plans that wait for somebody's approval, and to reports of runs: each is kept under its run, or a name that
 * has it, in chunks of text that mean nothing here. Their time is the caller's clock: it is days.
 */
export interface StoredPlan {
  readonly run: string;
  /** Epoch ms. */
  readonly expiresAt: number;
}

export interface Plans {
  /** Keeps a plan. It is listed once it is there whole; what another keeps under the same run meanwhile is replaced. */
  keep(plan: StoredPlan, chunks: AsyncIterable<string>): Promise<void>;
  /** The chunks in their order; none where nothing is kept. */
  read(run: string): AsyncIterable<string>;
  /** Those that expire first, first. */
  list(): Promise<readonly StoredPlan[]>;
  drop(run: string): Promise<void>;
  /** Sets a plan aside that nobody can read: see damaged.ts. It is listed no more. */
  setAside(run: string): Promise<void>;
}
