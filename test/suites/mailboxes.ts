import { describe } from "node:test";
import { accountCases } from "./mailboxes-accounts.ts";
import { atOnceCases } from "./mailboxes-at-once.ts";
import { claimCases } from "./mailboxes-claim.ts";
import { doubtCases } from "./mailboxes-doubt.ts";
import { dueCases } from "./mailboxes-due.ts";
import { cancelCases } from "./mailboxes-cancel.ts";
import { faultCases } from "./mailboxes-faults.ts";
import { equalCases } from "./mailboxes-equal.ts";
import { gateCases } from "./mailboxes-gates.ts";
import { letterCases } from "./mailboxes-letters.ts";
import { putCases } from "./mailboxes-put.ts";
import { settleCases } from "./mailboxes-settle.ts";
import { openForSuite } from "./open-store.ts";
import type { Open, Time } from "./open-store.ts";

/**
 * What every store must do with mailboxes, ledgers, letters and their books. The protocol's sentences
 * (docs/architecture.md), and where each is shown:
 *
 * | sentence | cases |
 * |---|---|
 * | a page, its invalid counts and the cursor are put together, or refused | put: "a page is put as one" |
 * | older than the ledger is stale, than pending superseded; newer replaces | put: "a value among its rivals" |
 * | same version: the later arrival wins | put: "a value among its rivals" |
 * | and of equal ones, unless both are of one run, or only the later one is kept | equal: all |
 * | a version more than 5 minutes ahead is invalid; none is the store's time | put: "versions" |
 * | changes to different attributes become one call; clear is a value | put: "units" |
 * | as-is yields to any newer value | put: "a flag for the value that is there" |
 * | the user enters the due set; it is swept under a short lease | due: all |
 * | a claim leaves out what the ledger overtook or has, blanks digests | claim: "what a claim gives" |
 * | a claim is refused while another lease lives; takeover merges first | claim: "whose the mailbox is" |
 * | settle writes ledger and digest; what arrived meanwhile stays due | settle: "what a settle does" |
 * | attempts per unit, deaths apart, throttles nothing | settle: "what counts" |
 * | a different value waits after an unknown fate | settle: "a call of unknown fate" |
 * | a late settle is refused and marks in doubt | doubt: all |
 * | bury: id once, superseded by a newer pending one | letters: "burying" |
 * | the same fault of the same unit is one letter, the older value of which is superseded | letters: "the same fault" |
 * | replay under the old version and run, in one step; discard | letters: "replaying", "discarding" |
 * | claims and settles of one user at once are carried out in their order | at once: all |
 * | what belongs to an account that is no more is void once a look shows its successor | accounts: all |
 * | what a gate keeps is not due | gates: all |
 * | what a cancelled run put is discarded, and what it superseded put back | cancel: all |
 * | pending and dead are what a walk counts | letters: the last case |
 */
export function mailboxSuite(name: string, open: Open, time: Time): void {
  describe(`mailboxes: ${name}`, () => {
    const suite = openForSuite(open, time);
    putCases(suite);
    equalCases(suite);
    claimCases(suite);
    settleCases(suite);
    doubtCases(suite);
    dueCases(suite);
    letterCases(suite);
    faultCases(suite);
    atOnceCases(suite);
    accountCases(suite);
    gateCases(suite);
    cancelCases(suite);
  });
}
