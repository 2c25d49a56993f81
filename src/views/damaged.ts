/** Documents that were set aside, as a document for machines, and as text for people. */
import { age, count } from "../core/amounts.ts";
import { printable } from "../core/masking.ts";
import type { DamagedDocument } from "../store/damaged.ts";
import type { SummaryWords } from "./run-summary.ts";
import { indent, table } from "./table.ts";

export function damagedDocument(documents: readonly DamagedDocument[]): object {
  return { documents: documents.map(({ since, ...one }) => ({ ...one, since: new Date(since).toISOString() })) };
}

interface DamagedLook {
  readonly width: number;
  /** Epoch ms. */
  readonly now: number;
  readonly command: SummaryWords["command"];
}

export function damagedText(documents: readonly DamagedDocument[], { width, now, command }: DamagedLook): string {
  if (documents.length === 0) return "Nothing is damaged.\n";
  const lines = table(
    [
      { title: "ID" },
      { title: "DOCUMENT" },
      { title: "AGE", align: "right" },
      { title: "POOL", shrinks: true },
      { title: "RUN", shrinks: true },
      { title: "WHERE IT LAY" },
    ],
    documents.map(({ id, kind, since, pool = "", run = "", place }) => [
      id,
      kind,
      age(now - since),
      printable(pool),
      printable(run),
      printable(place),
    ]),
    width,
  );
  const sentence = `${count(documents.length)} in all. Each is kept whole in the store and does nothing any more; \`${command("damaged", "remove", "ID")}\` throws it away.`;
  return `${lines}\n${indent("", sentence, width)}`;
}
