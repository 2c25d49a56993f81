/**
 * Somebody else passes addresses and numbers on, deletes accounts and makes them anew: past poolsync, straight at the
 * emulator. When and whose is in the run's plan; what came of it is in the journal.
 */
import { AdminCreateUserCommand, AdminDeleteUserCommand } from "@aws-sdk/client-cognito-identity-provider";
import { createAttributeWriter } from "../../src/cognito/attribute-writer.ts";
import { createCognitoClient } from "../../src/cognito/client.ts";
import { flagOf } from "../../src/core/unit.ts";
import { until } from "../support/condition.ts";
import { BY_OTHERS } from "./journal.ts";
import type { Name } from "./model.ts";
import { namedPeople, usernameOf, type Person } from "./named.ts";
import type { Handover, Plan } from "./plan.ts";
import { inTime } from "./planned.ts";
import { POOL, type Service } from "./service.ts";

export interface Handovers {
  /** How many were carried out. */
  readonly done: number;
  /** Resolves once all that is planned is done. */
  ended(): Promise<void>;
  /** Gives up what is planned still. */
  stop(): Promise<void>;
}

const WITHIN_MS = 3_000;

export function startHandovers(plan: Plan, service: Pick<Service, "port" | "subOf">): Handovers {
  const endpoint = `http://127.0.0.1:${service.port}`;
  const cognito = createCognitoClient({ endpoint, region: "eu-west-1", concurrency: 1 });
  const writer = createAttributeWriter(cognito);
  const givenUp = new AbortController();
  const { people, spare } = namedPeople();
  let lives = 0;
  let count = 0;

  const limits = (): { signal: AbortSignal; notAfter: number } => ({
    signal: AbortSignal.any([AbortSignal.timeout(WITHIN_MS), givenUp.signal]),
    notAfter: performance.now() + WITHIN_MS,
  });

  /** Tries it until it is done, whatever befalls the emulator meanwhile. An error of `meansDone` says that it was. */
  async function surely(what: string, act: () => Promise<unknown>, meansDone = ""): Promise<void> {
    let lastError: unknown;
    const done = until(what, async () => {
      givenUp.signal.throwIfAborted();
      try {
        await act();
        return true;
      } catch (error) {
        lastError = error;
        return error instanceof Error && error.name === meansDone;
      }
    });
    await done.catch((error: unknown) => {
      throw new Error(`${what}, which never was so: ${String(lastError)}`, { cause: error });
    });
  }

  function give(person: Person, contact: Name["contact"], value: string): Promise<void> {
    person[contact] = value;
    const attributes = [
      { Name: contact, Value: value },
      { Name: flagOf(contact) ?? "", Value: "true" },
    ];
    return surely("somebody has another address or number", async () => {
      const options = { ...limits(), clientMetadata: BY_OTHERS };
      const answer = await writer.write(POOL, person.username, attributes, options);
      if (!answer.ok) throw new Error(`the emulator refused it: ${answer.name}`);
    });
  }

  async function remove({ username }: Person): Promise<void> {
    let sub = "";
    await surely("somebody is known", async () => (sub = await service.subOf(username)));
    // By sub: of two tries that were under way at once, the second must not meet the account that is made next.
    const command = new AdminDeleteUserCommand({ UserPoolId: POOL, Username: sub });
    await surely(
      "somebody is deleted",
      () => cognito.within(limits(), (sdk) => sdk.send(command)),
      "UserNotFoundException",
    );
  }

  async function make({ username, ...contacts }: Person): Promise<void> {
    const attributes = Object.entries(contacts).flatMap(([name, value]) => [
      { Name: name, Value: value },
      { Name: flagOf(name) ?? "", Value: "true" },
    ]);
    const input = { UserPoolId: POOL, Username: username, UserAttributes: attributes };
    // A call of ours that was given up may still be applied, and leave the address with somebody else.
    const options = { MessageAction: "SUPPRESS", ForceAliasCreation: true } as const;
    const command = new AdminCreateUserCommand({ ...input, ...options });
    await surely(
      "somebody is made",
      () => cognito.within(limits(), (sdk) => sdk.send(command)),
      "UsernameExistsException",
    );
  }

  /** One that nobody has; the one that is left goes to those. */
  function another(contact: Name["contact"], left: string): string {
    spare[contact].push(left);
    return spare[contact].shift() ?? left;
  }

  async function carryOut({ what, place, other, contact }: Handover): Promise<void> {
    const at = Math.floor(place * people.length);
    const [one, two] = [people[at], people[(at + 1 + Math.floor(other * (people.length - 1))) % people.length]];
    if (!one || !two) return;
    const [old, theirs] = [one[contact], two[contact]];
    switch (what) {
      case "pass":
        await give(one, contact, another(contact, theirs));
        await give(two, contact, old);
        break;
      case "take":
        await give(two, contact, old);
        await give(one, contact, theirs);
        break;
      case "anew":
        await remove(one);
        await make(one);
        break;
      case "elsewhere":
        await remove(one);
        lives += 1;
        one.username = usernameOf(at, lives);
        await make(one);
        break;
      case "namesake": {
        await remove(one);
        for (const each of ["email", "phone_number"] as const)
          one[each] = another(each, each === contact ? theirs : one[each]);
        await make(one);
        await give(two, contact, old);
        break;
      }
    }
    count += 1;
  }

  const done = (async () => {
    for await (const planned of inTime(plan.handovers, givenUp.signal)) await carryOut(planned);
  })();
  // Whoever waits for the end is told.
  done.catch(() => undefined);

  return {
    get done() {
      return count;
    },
    ended: () => done,
    async stop() {
      givenUp.abort();
      await Promise.allSettled([done]);
      cognito.close();
    },
  };
}
