/**
 * Single requests whose outcome somebody waits for: `update()` of the library, and the one-user command. They are of
 * people whom nobody else asks poolsync for, one request at a time, and most of them ask for what was asked before.
 */
import { randomFrom } from "../support/random.ts";
import type { Single } from "./load.ts";
import { saidBy, type SentChange } from "./model.ts";

export const ASKED = Array.from({ length: 12 }, (_, index) => `asked${index}.zQx7`);
export const ASKED_ATTRIBUTES = ["given_name", "custom:department", "email", "phone_number"] as const;
const AGAIN_SHARE = 0.65;
/** How many are to go through a pause. */
const DESPITE_SHARE = 0.3;

/** What became of a request, by attribute, and when it was begun and answered: epoch ms. */
export interface Answered {
  readonly outcomes: Readonly<Record<string, string>>;
  readonly begunAt: number;
  readonly answeredAt: number;
}

export interface Ask extends Pick<SentChange, "id" | "says" | "username" | "attributes"> {
  readonly by: "update()" | "command";
  answered?: Answered;
}

export interface Asks {
  readonly all: readonly Ask[];
  /** How many are not answered yet, or are to be begun in a round. */
  readonly underWay: number;
  /** The last request of everybody who was asked for. */
  readonly latest: readonly Ask[];
  /** The next request, of somebody for whom none is under way; undefined where there is nobody. */
  next(by: Ask["by"]): Single | undefined;
  /** From now on these are asked for once, for what was asked last where there was anything, and nobody after that. */
  round(people: readonly string[]): void;
  /** Does nothing for an id that is none of a request. */
  answered(id: string, answered: Answered): void;
}

export function createAsks(seed: number): Asks {
  const random = randomFrom(seed * 29 + 13);
  const asks = new Map<string, Ask>();
  const latest = new Map<string, Ask>();
  /** Who is still to be asked for in a round; undefined before there is one. */
  let round: readonly string[] | undefined;
  const isBusy = (username: string): boolean => {
    const last = latest.get(username);
    return last !== undefined && last.answered === undefined;
  };

  function pickOne(): string | undefined {
    if (!round) {
      const username = ASKED[random.below(ASKED.length)] ?? "";
      return isBusy(username) ? undefined : username;
    }
    const free = round.find((username) => !isBusy(username));
    round = round.filter((username) => username !== free);
    return free;
  }

  return {
    get all() {
      return [...asks.values()];
    },
    get underWay() {
      return (round?.length ?? 0) + [...latest.keys()].filter(isBusy).length;
    },
    get latest() {
      return [...latest.values()];
    },
    round: (people) => void (round = people),
    next(by) {
      const username = pickOne();
      if (username === undefined) return undefined;
      const before = latest.get(username);
      const id = `q.${asks.size + 1}`;
      const isAgain = before !== undefined && (round !== undefined || random.chance(AGAIN_SHARE));
      const picked = random.some(ASKED_ATTRIBUTES, 0.4);
      const attributes = isAgain ? before.attributes : picked.length > 0 ? picked : [ASKED_ATTRIBUTES[0]];
      const says = isAgain ? (before.says ?? before.id) : id;
      const ask: Ask = { id, says, username, attributes, by };
      asks.set(id, ask);
      latest.set(username, ask);
      const values = Object.fromEntries(attributes.map((name) => [name, saidBy(ask, name)]));
      const despite = random.chance(DESPITE_SHARE) ? ({ despitePause: true } as const) : {};
      return {
        change: { id, says, username, attributes, looks: true, ...despite },
        order: { id, username, attributes: values, waits: true, ...despite },
      };
    },
    answered(id, answered) {
      const ask = asks.get(id);
      if (ask) ask.answered = answered;
    },
  };
}
