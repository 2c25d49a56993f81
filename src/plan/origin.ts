/** Where a plan comes from, for people who approve it. */
export interface PlanOrigin {
  /** The account of the operating system, and the machine: `jane@build-7`. */
  readonly madeBy: string;
  /** Epoch ms. */
  readonly madeAt: number;
  /** Of poolsync. */
  readonly version: string;
  /** Epoch ms: when the values were true, where rows do not say it. */
  readonly asOf: number;
  readonly file: {
    /** Without its directory. */
    readonly name: string;
    /** Of the bytes as they lie on the disk, packed or not. */
    readonly sha256: string;
    readonly bytes: number;
    /** Epoch ms. */
    readonly modifiedAt: number;
  };
}
