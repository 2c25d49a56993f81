/** How a namespace stands, as text for people. */
import type { NamespaceStatus } from "../app/status.ts";
import type { AliveWorker } from "../store/workers.ts";
import { adviceOf } from "../core/advice.ts";
import { keptText, sincePaused } from "../app/gates/pause.ts";
import { WITHOUT_AOF } from "../app/without-aof.ts";
import { runGate, scheduleGate } from "../core/gate.ts";
import { age, count, counted } from "../core/amounts.ts";
import { booksText, stateText, type SummaryWords } from "./run-summary.ts";
import { indent, table } from "./table.ts";

/** How long it is told that a store was restored. */
const RESTORED_FOR_MS = 86_400_000;

export function statusText(status: NamespaceStatus, width: number, command: SummaryWords["command"]): string {
  const {
    engine,
    since,
    pools,
    deadLetters,
    holds,
    pauses,
    floods = [],
    runs,
    damaged,
    unsealed,
    books,
    balanced,
    verified,
  } = status;
  return [
    indent("", `Engine: ${engine}${since === undefined ? "" : `, with everything since ${since}`}`, width),
    ...storeSentences(status).map((text) => indent("", text, width)),
    poolsText(pools, width),
    workersText(status, width, command),
    schedulesText(status, width),
    ...holds.map((hold) => holdText(hold, width)),
    ...pauses.map((pause) => pauseText(pause, width)),
    ...floods.map((flood) => floodText(flood, width, command)),
    unsealed === undefined ? "" : `\n${indent("", unsealedText(unsealed), width)}`,
    lettersText(deadLetters, width),
    inboxText(status, width, command),
    jobsText(status, width),
    runsText(runs, width),
    damagedText(damaged, width, command),
    `\nBooks of everything\n${booksText(books)}`,
    balanced ? "The books balance.\n" : "The books do NOT balance.\n",
    verified === undefined ? "" : recountText(verified, width),
  ].join("");
}

/** A store that has all it ever had is told by its first line alone. */
function storeSentences({ since, withoutAof, forgottenRuns, runs }: NamespaceStatus): readonly string[] {
  const isRestored =
    since !== undefined &&
    Date.now() - Date.parse(since) < RESTORED_FOR_MS &&
    runs.some(({ startedAt }) => startedAt < since);
  return [
    ...(withoutAof ? [WITHOUT_AOF] : []),
    ...(isRestored ? [`This store was restored at ${since}: of what was before it may not know all.`] : []),
    ...forgottenRuns.map(
      ({ run, at }) => `Run ${run} is forgotten, as was found at ${at}: what of it was not sent by then is not sent.`,
    ),
  ];
}

function damagedText(documents: number, width: number, command: SummaryWords["command"]): string {
  if (documents === 0) return "";
  const sentence = `${counted(documents, "document is damaged and lies", "documents are damaged and lie")} aside: see \`${command("damaged", "list")}\`.`;
  return `\n${indent("", sentence, width)}`;
}

function poolsText(pools: NamespaceStatus["pools"], width: number): string {
  if (pools.length === 0) return "No user pool has been used yet.\n";
  const lines = table(
    [
      { title: "POOL", shrinks: true },
      { title: "DUE USERS", align: "right" },
      { title: "WAITING", align: "right" },
      { title: "ACTIVE", align: "right" },
      { title: "DELAYED", align: "right" },
    ],
    pools.map(({ pool, due, queue }) => [
      pool,
      count(due),
      count((queue["waiting"] ?? 0) + (queue["prioritized"] ?? 0)),
      count(queue["active"] ?? 0),
      count(queue["delayed"] ?? 0),
    ]),
    width,
  );
  return `\n${lines}\n${pacesText(pools, width)}`;
}

/** UserUpdate has its pace, and so has UserList. */
function pacesText(pools: NamespaceStatus["pools"], width: number): string {
  return table(
    [
      { title: "PACE", shrinks: true },
      { title: "CALLS/S", align: "right" },
      { title: "SLOWED", align: "right" },
      { title: "LOOKS/S", align: "right" },
      { title: "SLOWED", align: "right" },
    ],
    pools.map(({ pool, pace, listPace }) => [
      pool,
      ...[pace, listPace].flatMap(({ ratePerSecond, ceilingPerSecond, lastCutAt }) => [
        `${ratePerSecond.toFixed(ratePerSecond < 10 ? 1 : 0)} of ${ceilingPerSecond}`,
        lastCutAt === undefined ? "never" : age(Date.now() - Date.parse(lastCutAt)),
      ]),
    ]),
    width,
  );
}

const WORK: Readonly<Record<AliveWorker["does"], string>> = {
  delivery: "delivery",
  schedules: "schedules",
  replays: "replay orders",
  events: "events",
  jobs: "jobs",
};

/** Who is alive, and where somebody has to be: a data directory has no other process. */
function workersText(
  { engine, pools, workers }: NamespaceStatus,
  width: number,
  command: SummaryWords["command"],
): string {
  const processes = new Map<string, string[]>();
  for (const { does, pool, process } of workers) {
    const what = pool === undefined ? WORK[does] : `${WORK[does]} to ${pool}`;
    processes.set(what, [...(processes.get(what) ?? []), process]);
  }
  const alive = [...processes].map(([what, names]) => `${what} by ${names.toSorted().join(", ")}`).toSorted();
  const sentences = alive.length === 0 ? [] : [`Workers: ${alive.join("; ")}.`];
  for (const { pool, due } of engine === "redis" ? pools : []) {
    if (due === 0 || workers.some((worker) => worker.pool === pool)) continue;
    const wait = counted(due, "user waits", "users wait");
    sentences.push(
      `${wait} for a worker of ${pool}, and none is alive: one has to run, such as \`${command("worker", "--pools", pool)}\`.`,
    );
  }
  return sentences.map((text) => `\n${indent("", text, width)}`).join("");
}

function schedulesText({ schedules, pauses }: NamespaceStatus, width: number): string {
  if (schedules.length === 0) return "";
  const times = schedules.map(({ feed, next }) => {
    if (pauses.some(({ gate }) => gate === scheduleGate(feed))) return `${feed} (paused)`;
    return `${feed} at ${next ?? "a time that is not known yet"}`;
  });
  return `\n${indent("", `By schedule run next: ${times.join(", ")}.`, width)}`;
}

function holdText({ pool, scope, kind, since }: NamespaceStatus["holds"][number], width: number): string {
  const what = scope === "pool" ? `Pool ${pool} is` : `E-mail and phone units of pool ${pool} are`;
  return `\n${indent("", `${what} on hold since ${since} (${kind}). ${adviceOf(kind)}`, width)}`;
}

function pauseText({ users, since, ...pause }: NamespaceStatus["pauses"][number], width: number): string {
  const said = sincePaused({ ...pause, since: Date.parse(since) });
  return `\n${indent("", `${said} ${keptText(pause.gate, users)}`, width)}`;
}

function floodText(
  { run, feed, since, users }: NonNullable<NamespaceStatus["floods"]>[number],
  width: number,
  command: SummaryWords["command"],
): string {
  const sentence = `Events of ${feed} have waited for an approval since ${since}. ${keptText(runGate(run), users)} Look with \`${command("runs", "show", run)}\`.`;
  return `\n${indent("", sentence, width)}`;
}

function unsealedText(documents: number): string {
  const left = documents === 0 ? "a last look is under way" : `${count(documents)} documents are to be looked at`;
  return `What an older version kept is sealed anew while workers go on: ${left}. Until then what is not sealed is read too.`;
}

function lettersText(deadLetters: NamespaceStatus["deadLetters"], width: number): string {
  const kinds = Object.entries(deadLetters).toSorted(([, a], [, b]) => b - a);
  if (kinds.length === 0) return "";
  const columns = [{ title: "DEAD LETTERS" }, { title: "", align: "right" as const }];
  return `\n${table(
    columns,
    kinds.map(([kind, letters]) => [kind, count(letters)]),
    width,
  )}`;
}

function inboxText(
  { engine, inbox, workers }: NamespaceStatus,
  width: number,
  command: SummaryWords["command"],
): string {
  if (inbox === undefined) return "";
  const { waiting, ahead, taken, oldestAt, parked, scans = [] } = inbox;
  const said = [
    `Inbox: ${counted(waiting, "event waits", "events wait")}${oldestAt === undefined ? "" : `, the oldest since ${oldestAt}`}`,
    ...(ahead === 0
      ? []
      : [
          `${counted(ahead, "waits for its time, or until its pool can be asked", "wait for their time, or until their pool can be asked")}`,
        ]),
    ...scans.map(
      ({ pool, feeds, until }) => `events of ${feeds.join(", ")} wait for a scan of ${pool} until about ${until}`,
    ),
    ...(taken === 0 ? [] : [`${counted(taken, "is being drained", "are being drained")}`]),
    ...Object.entries(parked.feeds).map(([feed, events]) => `${counted(events, "is parked", "are parked")} of ${feed}`),
  ];
  const isAlone = engine === "redis" && waiting + ahead + taken > 0 && !workers.some(({ does }) => does === "events");
  const next = isAlone ? ` No process takes them further: one has to run, such as \`${command("ingest")}\`.` : "";
  return `\n${indent("", `${said.join("; ")}.${next}`, width)}`;
}

/** A job that nobody takes lies there in clear, and its producer is not told. */
function jobsText({ jobs, workers }: NamespaceStatus, width: number): string {
  if (jobs === undefined) return "";
  const why = workers.some(({ does }) => does === "events")
    ? "the `ingest` that runs does not take them: start it with POOLSYNC_JOBS=on where only producers of jobs may write to Redis (unset, it takes them without POOLSYNC_KEY only)"
    : "no `ingest` runs that takes them";
  const said = `Jobs: ${counted(jobs.waiting, "waits", "wait")} in the queue \`changes\``;
  return `\n${indent("", jobs.taken ? `${said}.` : `${said}, and ${why}.`, width)}`;
}

function runsText(runs: NamespaceStatus["runs"], width: number): string {
  if (runs.length === 0) return "";
  const lines = table(
    [
      { title: "RUN" },
      { title: "FEED", shrinks: true },
      { title: "STATE" },
      { title: "RECEIVED", align: "right" },
      { title: "APPLIED", align: "right" },
      { title: "PENDING", align: "right" },
      { title: "DEAD", align: "right" },
    ],
    runs.map(({ run, feed, source, state, books }) => [
      run,
      feed,
      stateText({ source, state }, books),
      count(books.received),
      count(books.applied),
      count(books.pending),
      count(books.dead),
    ]),
    width,
  );
  return `\n${lines}`;
}

function recountText({ differences, lost, inbox }: NonNullable<NamespaceStatus["verified"]>, width: number): string {
  const found = [
    ...(lost.users === 0 ? [] : [counted(lost.users, "user who waits", "users who wait")]),
    ...(lost.letters === 0 ? [] : [counted(lost.letters, "dead letter")]),
    ...(inbox?.lost ? [counted(inbox.lost, "event")] : []),
  ];
  const said = differences.map(
    ({ run, term, books, counted: seen }) => `${run} has ${count(seen)} ${term}, and its books say ${count(books)}.`,
  );
  if (inbox?.miscounted) said.push("what lay in the inbox was counted wrongly, and is counted anew.");
  if (found.length > 0)
    said.push(
      `the store had lost its place of ${found.join(" and ")}. They are found again, and workers go on with them.`,
    );
  if (said.length === 0) said.push("every mailbox and every dead letter is in the books.");
  return said.map((text) => indent("", `Recounted: ${text}`, width)).join("");
}
