/** What deliveries of one pool need of the world. */
import type { AttributeWriter } from "../cognito/attribute-writer.ts";
import type { TokenWriter } from "../cognito/token-writer.ts";
import type { QuotaGovernor } from "../cognito/quota-governor.ts";
import type { SubProbe } from "../cognito/sub-probe.ts";
import type { UserDirectory } from "../cognito/user-directory.ts";
import type { PoolProfile } from "../core/pool-schema.ts";
import type { Keyring } from "../store/keyring.ts";
import type { Mailboxes, Selection } from "../store/mailboxes.ts";
import type { Store } from "../store/store.ts";
import type { HoldWatch } from "./hold-watch.ts";
import type { SeenUsers } from "./seen-users.ts";
import type { UserNames } from "./user-names.ts";

export interface DeliveryDeps {
  readonly store: Store;
  /** Where claims are made and settled: the store, and the log is told. */
  readonly settles: Pick<Mailboxes, "claim" | "settle">;
  readonly keyring: Keyring;
  readonly profile: PoolProfile;
  readonly writer: AttributeWriter;
  /** For changes that users make themselves. */
  readonly tokenWriter: TokenWriter;
  readonly directory: UserDirectory;
  readonly names: Pick<UserNames, "changed">;
  /** What this process saw of users within the last minute. */
  readonly seen: SeenUsers;
  readonly subs: SubProbe;
  /** The pace of UserUpdate and of UserList. */
  readonly updates: QuotaGovernor;
  readonly lists: QuotaGovernor;
  readonly holds: HoldWatch;
  /** How long a claim lives: connect and request time-outs, and a margin. */
  readonly leaseMs: number;
  /** What is claimed of a mailbox; everything, where it is absent. */
  readonly selection?: () => Selection;
}
