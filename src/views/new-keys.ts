/** What became of a namespace that was given new keys. */
import type { NewKeysMade } from "../app/rekey-digests.ts";
import { nextStep, sentence, textOf, type Sentence } from "../core/sentence.ts";
import { indent, table } from "./table.ts";

export function newKeysDocument({ resumed, wrapped, dropped, plans, damaged, ...kept }: NewKeysMade): object {
  return { keys: "new", resumed, wrapped, kept, dropped, plansEnded: plans, damaged };
}

const COLUMNS = [
  { title: "what" },
  { title: "named anew", align: "right" },
  { title: "dropped", align: "right" },
] as const;

export function newKeysText(made: NewKeysMade, columns: number): string {
  const { mailboxes, letters, beforeImages, ledgers, exceptions, links, dropped } = made;
  const rows = [
    ["users with changes that wait", mailboxes, 0],
    ["dead letters", letters, 0],
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

function remarks({ wrapped, dropped, ledgers, plans, damaged }: NewKeysMade): Sentence[] {
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
  if (!wrapped)
    said.push(
      sentence`The new keys lie in clear in the store, and whoever reads it has them: set POOLSYNC_KEY and run ${nextStep("rekey")}.`,
    );
  said.push(["Start all processes again, each with this POOLSYNC_KEY."]);
  return said;
}
