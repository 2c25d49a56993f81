/** From what somebody asks of all that did not reach a user to dead letters and parked events. */
import { namedPool, type Config } from "../../config/config.ts";
import { defined } from "../../core/defined.ts";
import type { Letter } from "../../core/letter.ts";
import { nextStep, sentence } from "../../core/sentence.ts";
import type { Engine } from "../../queues/engine.ts";
import type { ParkedEntry, ParkedFilter, TakenEntry } from "../../store/inbox.ts";
import type { LetterFilter } from "../../store/letters.ts";
import { AppError } from "../app-error.ts";
import { poolOfEvents, type ParkedEvents } from "../events/parked-events.ts";
import { findLetter } from "./find-letter.ts";
import { filtersOf, type LetterRequest } from "./letter-filter.ts";

/** The kind of parked events, beside those of letters. */
export const EVENT_KIND = "event";

export interface DeadRequest extends LetterRequest {
  /** Parked events of this feed. Letters have none: they have a run. */
  readonly feed?: string;
}

export interface Dead {
  readonly letters: readonly LetterFilter[];
  readonly events: ParkedEvents;
}

export type FoundDead =
  | { readonly is: "letter"; readonly letter: Letter }
  | { readonly is: "event"; readonly event: ParkedEntry & Pick<TakenEntry, "body"> };

/** The letter or parked event of an id. Throws an AppError `no-letter`. */
export async function findDead(engine: Engine, id: string): Promise<FoundDead> {
  const { letters, inbox } = engine.store;
  const letter = await letters.get(id);
  if (letter !== undefined) return { is: "letter", letter };
  const { parked, ...entry } = (await inbox.get(id)) ?? {};
  if (!("body" in entry)) return { is: "letter", letter: await findLetter(engine, id) };
  if (parked) return { is: "event", event: { ...entry, ...parked } };
  const said = sentence`Event \`${id}\` is not parked: it waits in the inbox to be mapped. See ${nextStep("status")}.`;
  throw new AppError("no-letter", said);
}

/** Throws an AppError `no-letter`. */
export async function findAllDead(engine: Engine, config: Config, request: DeadRequest): Promise<Dead> {
  const { ids = [], kind, feed } = request;
  if (ids.length > 0) {
    const found = await Promise.all(Array.from(new Set(ids), (id) => findDead(engine, id)));
    const letters = found.flatMap((one) => (one.is === "letter" ? [one.letter.id] : []));
    const events = found.flatMap((one) => (one.is === "event" ? [one.event] : []));
    return {
      letters: letters.length > 0 ? await filtersOf(engine, config, { ids: letters }) : [],
      events: () => events,
    };
  }
  const isOfEvents = kind === EVENT_KIND || feed !== undefined;
  return {
    letters: isOfEvents ? [] : await filtersOf(engine, config, request),
    events: eventsOf(engine, config, request),
  };
}

/** An event is of no user, attribute or run. */
function eventsOf(engine: Engine, config: Config, request: DeadRequest): ParkedEvents {
  const { kind = EVENT_KIND, user, attribute, run, feed, reason, since, until } = request;
  if (kind !== EVENT_KIND || (user ?? attribute ?? run) !== undefined) return () => [];
  const pool = request.pool === undefined ? undefined : namedPool(config, request.pool, "--pool").id;
  const filter: ParkedFilter = defined({ feed, reason, since, until });
  return async function* () {
    for await (const entry of engine.store.inbox.parked(filter)) {
      if (pool === undefined || poolOfEvents(config, entry.feed) === pool) yield entry;
    }
  };
}
