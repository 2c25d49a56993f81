/**
 * Somebody else writes values in the pool, as a person in the console would: past poolsync, straight to the emulator.
 * When and whom is in the run's plan; what was applied is in the journal, marked as not poolsync's.
 */
import { createAttributeWriter } from "../../src/cognito/attribute-writer.ts";
import { createCognitoClient } from "../../src/cognito/client.ts";
import type { Attribute } from "../../src/core/contact.ts";
import { flagOf } from "../../src/core/unit.ts";
import { until } from "../support/condition.ts";
import { ASKED, ASKED_ATTRIBUTES } from "./asks.ts";
import { BY_OTHERS } from "./journal.ts";
import { valueOf, type SentChange } from "./model.ts";
import { FED_ATTRIBUTES, type OthersWrite, type Plan } from "./plan.ts";
import { inTime } from "./planned.ts";
import { POOL, type Service } from "./service.ts";

export interface Others {
  /** Resolves once all that is planned was tried. */
  ended(): Promise<void>;
  /** Writes over all of these, or for contacts takes the flag back. */
  over(written: readonly Pick<SentChange, "username" | "attributes">[]): Promise<void>;
  /** Writes over a value of everybody who is asked for and of some of the others, when nothing is pending any more. */
  lastWord(): Promise<void>;
  /** Gives up what is planned still. */
  stop(): Promise<void>;
}

const WITHIN_MS = 3_000;
/** How many of those whom files and applications change get a last word. */
const LAST_FED = 24;

export function startOthers(
  plan: Plan,
  service: Pick<Service, "port" | "attributesOf">,
  fed: readonly string[],
): Others {
  const endpoint = `http://127.0.0.1:${service.port}`;
  const cognito = createCognitoClient({ endpoint, region: "eu-west-1", concurrency: 4 });
  const writer = createAttributeWriter(cognito);
  const givenUp = new AbortController();
  const underWay = new Set<Promise<unknown>>();
  let count = 0;

  /** Answers how it was taken. A fault may befall it as any call. */
  async function write(username: string, { attribute, what, verified }: Omit<OthersWrite, "atMs" | "whom" | "place">) {
    count += 1;
    const flag = flagOf(attribute);
    const value = { Name: attribute, Value: what === "clear" ? "" : valueOf(`o.${count}`, attribute) };
    const flagged = flag === undefined || what === "clear" ? [] : [{ Name: flag, Value: String(verified) }];
    const attributes: Attribute[] = what === "flag" ? flagged : [value, ...flagged];
    const signal = AbortSignal.any([AbortSignal.timeout(WITHIN_MS), givenUp.signal]);
    const notAfter = performance.now() + WITHIN_MS;
    return writer.write(POOL, username, attributes, { signal, notAfter, clientMetadata: BY_OTHERS });
  }

  const done = (async () => {
    for await (const planned of inTime(plan.others, givenUp.signal)) {
      const people = planned.whom === "asked" ? ASKED : fed;
      const one = write(people[Math.floor(planned.place * people.length)] ?? "", planned).finally(() =>
        underWay.delete(one),
      );
      underWay.add(one);
    }
  })();

  /** When faults have ended nothing refuses it for long. */
  async function surely(username: string, what: Omit<OthersWrite, "atMs" | "whom" | "place">): Promise<void> {
    let refusal = "";
    const taken = until("what somebody else writes is taken", async () => {
      const answer = await write(username, what);
      if (!answer.ok) refusal = answer.name;
      return answer.ok;
    });
    await taken.catch((cause: unknown) => {
      throw new Error(`what somebody else writes never was taken: ${refusal}`, { cause });
    });
  }

  async function ended(): Promise<void> {
    await done;
    await Promise.all(underWay);
  }

  return {
    ended,
    async over(written) {
      for (const [index, { username, attributes }] of written.entries()) {
        const there = await service.attributesOf(username);
        for (const attribute of attributes) {
          // A flag of nothing is refused.
          const mayBeFlag = flagOf(attribute) !== undefined && there[attribute] !== undefined;
          await surely(username, { attribute, what: mayBeFlag && index % 2 === 0 ? "flag" : "value", verified: false });
        }
      }
    },
    async lastWord() {
      const people = [...ASKED, ...fed.slice(0, LAST_FED)];
      for (const [index, username] of people.entries()) {
        const names: readonly string[] = index < ASKED.length ? ASKED_ATTRIBUTES : FED_ATTRIBUTES;
        const attribute = names[index % names.length] ?? names[0] ?? "";
        await surely(username, { attribute, what: "value", verified: index % 2 === 0 });
      }
    },
    async stop() {
      givenUp.abort();
      await Promise.allSettled([done, ...underWay]);
      cognito.close();
    },
  };
}
