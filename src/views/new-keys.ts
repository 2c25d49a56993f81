/** What became of a namespace that was given new keys. */
import type { NewKeysMade } from "../app/rekey-digests.ts";
import { nextStep, sentence, textOf, type Sentence } from "../core/sentence.ts";
import { indent, table } from "./table.ts";

export function newKeysDocument({ resumed, wrapped, sameKey, dropped, plans, damaged, ...kept }: NewKeysMade): object {
  return { keys: "new", resumed, wrapped, sameKey, kept, dropped, plansEnded: plans, damaged };
}

const COLUMNS = [
  { title: "what" },
  { title: "named anew", align: "right" },
  { title: "dropped", align: "right" },
] as const;

export function newKeysText(made: NewKeysMade, columns: number): string {
  const { mailboxes, letters, beforeImages, ledgers, exceptions, links, events, dropped } = made;
  const rows = [
    ["users with changes that wait", mailboxes, 0],
    ["dead letters", letters, 0],
    ["events in the inbox", events, 0],
    ["users of whom is known what was written", ledgers, dropped.ledgers],
    ["users and names with exceptions", exceptions, dropped.exceptions],
    ["names that were asked for", links, dropped.links],
    ["values that can be put back", beforeImages, 0],
  ] as const;
  const rowsShown = rows.flatMap(([what, kept, gone]) =>
    kept + gone === 0 ? [] : [[what, String(kept), String(gone)]],
  );
  const again = made.resumed ? " This call went on with one that was cut, and counts what was left." : "";
  const lines = [
    indent("", `The namespace has new keys, and nothing opens by the former ones any more.${again}`, columns),
  ];
  if (rowsShown.length > 0) lines.push(table(COLUMNS, rowsShown, columns));
  for (const said of remarks(made)) lines.push(indent("", textOf(said), columns));
  return lines.join("");
}

function remarks({ wrapped, sameKey, dropped, ledgers, plans, damaged }: NewKeysMade): Sentence[] {
  const said: Sentence[] = [];
  if (ledgers > 0)
    said.push(["What poolsync wrote last is no longer known by its value: the next file compares with the pool."]);
  if (dropped.ledgers + dropped.exceptions + dropped.links > 0)
    said.push(["Dropped is what was known of users and names that the pools do not have."]);
  if (plans > 0)
    said.push([
      `Plans that ended: ${plans}. They were signed by a key that others may have. The next pass of their feed makes new ones.`,
    ]);
  if (damaged > 0) said.push([`Damaged documents that could not be named anew, and stay as they are: ${damaged}.`]);
  said.push([`Start all processes again${wrapped ? ", each with this POOLSYNC_KEY" : ""}.`]);
  if (!wrapped)
    said.push(
      sentence`The new keys lie in clear in the store, as readable as the former ones: who reads it, or a backup of it, has them. Set POOLSYNC_KEY and give ${nextStep("rekey", "--digests")} again.`,
    );
  if (sameKey)
    said.push(
      sentence`The new keys are wrapped by the same POOLSYNC_KEY as the former ones: who has it, and reads the store or a backup of it, has them as well. Where it may have leaked, set another one, with this one as POOLSYNC_KEY_PREVIOUS, and give ${nextStep("rekey", "--digests")} again.`,
    );
  return said;
}
