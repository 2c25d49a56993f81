/** A dead letter: a unit that could not be delivered. It is replayed under its old version and its old run. */
export interface Letter {
  /** From user, unit and version, arrival included: burying twice is burying once. */
  readonly id: string;
  readonly user: string;
  readonly pool: string;
  /** Sealed. */
  readonly username: string;
  readonly unit: string;
  readonly kind: string;
  /** Scrubbed of values. */
  readonly reason: string;
  readonly version: string;
  readonly run: string;
  readonly digest: string;
  readonly body: string;
  /** Epoch ms. */
  readonly buriedAt: number;
}
