import { createAliases } from "./alias.ts";
import { checkCreation, checkUpdate } from "./attribute-check.ts";
import type { SentAttribute } from "./attribute-check.ts";
import { planUpdate } from "./attribute-update.ts";
import type { UpdatePlan } from "./attribute-update.ts";
import { CONTACTS, FLAGS, isContact, isEmail, isPhoneNumber } from "./contact.ts";
import type { Contact } from "./contact.ts";
import type { Counters } from "./counters.ts";
import type { PoolDefinition, UserSeed } from "./pool-definition.ts";
import { randomUuid } from "./random.ts";
import type { Random } from "./random.ts";
import { createSchema } from "./schema.ts";
import type { Schema } from "./schema.ts";
import { ServiceError, invalidParameter, namedError } from "./service-error.ts";
import { viewUser } from "./user.ts";
import type { Attributes, User, UserView } from "./user.ts";
import { createUserDirectory } from "./user-directory.ts";
import type { UserDirectory } from "./user-directory.ts";
import type { WriteRecorder } from "./write-log.ts";

/** A message that Cognito would have sent. */
interface Message {
  readonly username: string;
  readonly attribute: Contact;
}

/** A pool as tests, demos and the control endpoint see it. */
export interface UserPool {
  readonly id: string;
  readonly arn: string;
  readonly name: string;
  readonly createdAt: number;
  readonly definition: PoolDefinition;
  readonly schema: Schema;
  readonly messages: readonly Message[];
  readonly size: number;
  /** Puts a user in as it is. Throws where the username is taken or an attribute is not in the schema. */
  addUser(seed: UserSeed): UserView;
  /** A copy of the user with this username, sub or alias. */
  user(name: string): UserView | undefined;
  /**
   * Its username and aliases are free at once; whoever else has its address keeps it as it is, verified or not. Throws
   * UserNotFoundException.
   */
  removeUser(name: string): void;
  /** What the person does with the code: the value that was held back, or the one that is there, becomes verified. */
  confirm(username: string, contact: Contact): void;
}

interface NewUser {
  readonly username: string;
  readonly attributes: readonly SentAttribute[];
  readonly forceAliasCreation: boolean;
  /** Contacts to which an invitation goes. */
  readonly invite: readonly Contact[];
}

/** The call that an update came with. */
export interface UpdateCall {
  readonly operation: string;
  readonly clientMetadata: Readonly<Record<string, string>> | null | undefined;
}

/** A pool as the operations use it. */
export interface ServedPool extends UserPool {
  readonly directory: UserDirectory;
  /**
   * The user with this username, sub or alias, for a call. A user of another identity provider is not found by its sub:
   * AWS documents a sub for local users, and the username for those. A service that takes no sub finds nobody by it.
   */
  find(name: string): User | undefined;
  /** All or nothing. Throws the ServiceError that the caller is answered. */
  update(user: User, sent: readonly SentAttribute[], by: UpdateCall): UpdatePlan;
  create(request: NewUser): User;
}

export interface PoolContext {
  readonly now: () => number;
  readonly random: Random;
  readonly log: WriteRecorder;
  readonly counters: Counters;
  /** How long ListUsers goes on showing what was there before a write, a new user or the end of one: by username. */
  readonly listLagMs: (username: string) => number;
  readonly takesSubs: boolean;
}

const ACCOUNT = "123456789012";

function hasForm(contact: Contact, text: string): boolean {
  return contact === "email" ? isEmail(text) : isPhoneNumber(text);
}

export function createUserPool(id: string, definition: PoolDefinition, context: PoolContext): ServedPool {
  const { now, random, log, counters, listLagMs, takesSubs } = context;
  const schema = createSchema(definition.schema ?? []);
  const directory = createUserDirectory({ caseSensitive: definition.caseSensitive ?? true });
  const aliases = createAliases(definition, directory);
  const usernameAttributes = definition.usernameAttributes ?? [];
  const rules = {
    autoVerified: new Set(definition.autoVerified),
    heldBack: new Set(definition.requireVerificationBeforeUpdate),
  };
  const messages: Message[] = [];
  const createdAt = now();
  let lastOrdinal = 0;

  function bySub(sub: string): User | undefined {
    const user = directory.bySub(sub);
    return user?.status === "EXTERNAL_PROVIDER" ? undefined : user;
  }

  function look(name: string, takesSub = true): User | undefined {
    return directory.byUsername(name) ?? (takesSub ? bySub(name) : undefined) ?? aliases.owner(name);
  }

  function named({ username, sub }: User): { readonly pool: string; readonly username: string; readonly sub: string } {
    return { pool: id, username, sub };
  }

  function message(user: User, attribute: Contact): void {
    messages.push({ username: user.username, attribute });
    counters.messages[attribute] += 1;
  }

  function replace(user: User, attributes: Attributes): void {
    const at = now();
    if (user.listLagMs > 0) {
      const until = at + user.listLagMs;
      const { attributes: before, modifiedAt } = user;
      user.past = [...user.past.filter((past) => past.until > at), { until, attributes: before, modifiedAt }];
    }
    directory.replace(user, attributes);
    user.modifiedAt = at;
  }

  /** Takes verified values away from their former owners. Call after `refuse`, when nothing can fail any more. */
  function moveAliases(user: User | undefined, attributes: Attributes): void {
    for (const lost of aliases.losers(user, attributes)) {
      replace(lost.user, new Map(lost.user.attributes).set(FLAGS[lost.contact], "false"));
    }
  }

  function insert(username: string, sub: string, attributes: Map<string, string>, seed: Partial<UserSeed>): User {
    for (const contact of CONTACTS) {
      if (attributes.has(contact) && !attributes.has(FLAGS[contact])) attributes.set(FLAGS[contact], "false");
    }
    moveAliases(undefined, attributes);
    const at = seed.createdAt ?? now();
    const user: User = {
      ordinal: ++lastOrdinal,
      username,
      sub,
      createdAt: at,
      modifiedAt: at,
      enabled: seed.enabled ?? true,
      status: seed.status ?? "CONFIRMED",
      attributes,
      held: new Map(),
      past: [],
      listLagMs: listLagMs(username),
      deletedAt: undefined,
    };
    directory.add(user);
    return user;
  }

  /** What the username is where people sign in with a contact; undefined where they sign in with a name. */
  function signInContact(username: string): Contact | undefined {
    if (usernameAttributes.length === 0) return undefined;
    const contact = usernameAttributes.find((candidate) => hasForm(candidate, username));
    if (contact !== undefined) return contact;
    const forms = usernameAttributes.map((name) => (name === "email" ? "an email" : "a phone number"));
    throw invalidParameter(`Username should be ${forms.length > 1 ? "either " : ""}${forms.join(" or ")}.`);
  }

  /** The username to keep: where people sign in with a contact it is the sub, and the contact becomes an attribute. */
  function nameUser(username: string, attributes: Map<string, string>, sub: string): string {
    const contact = signInContact(username);
    if (contact !== undefined) {
      attributes.set(contact, username);
      return sub;
    }
    if (directory.byUsername(username) !== undefined) {
      throw new ServiceError("UsernameExistsException", "User account already exists");
    }
    return username;
  }

  return {
    id,
    arn: `arn:aws:cognito-idp:${id.slice(0, id.lastIndexOf("_"))}:${ACCOUNT}:userpool/${id}`,
    name: definition.name ?? id,
    createdAt,
    definition,
    schema,
    directory,
    messages,
    find: (name) => look(name, takesSubs),

    get size() {
      return directory.users.length;
    },

    user(name) {
      const user = look(name);
      return user === undefined ? undefined : viewUser(user);
    },

    addUser(seed) {
      const attributes = new Map<string, string>();
      for (const name in seed.attributes) {
        const value = seed.attributes[name];
        if (!schema.has(name) || name === "sub")
          throw new RangeError(`Expected an attribute of the schema, got \`${name}\``);
        if (value !== undefined && value !== "") attributes.set(name, value);
      }
      const sub = seed.sub ?? randomUuid(random);
      const username = nameUser(seed.username, attributes, sub);
      aliases.refuse(undefined, attributes);
      return viewUser(insert(username, sub, attributes, seed));
    },

    removeUser(name) {
      const user = look(name);
      if (user === undefined) throw namedError("UserNotFoundException");
      const at = now();
      directory.remove(user, at);
      log.append({ ...named(user), attributes: {}, operation: "AdminDeleteUser" });
    },

    confirm(name, contact) {
      const user = look(name);
      if (user === undefined) throw namedError("UserNotFoundException");
      const value = user.held.get(contact) ?? user.attributes.get(contact);
      if (value === undefined) throw new RangeError(`Expected a user with a value of \`${contact}\` to confirm`);
      const attributes = new Map(user.attributes).set(contact, value).set(FLAGS[contact], "true");
      aliases.refuse(user, attributes);
      moveAliases(user, attributes);
      const held = new Map(user.held);
      held.delete(contact);
      user.held = held;
      replace(user, attributes);
      const written = { [contact]: value, [FLAGS[contact]]: "true" };
      log.append({ ...named(user), attributes: written, operation: "VerifyUserAttribute" });
    },

    update(user, sent, { operation, clientMetadata }) {
      const values = checkUpdate(schema, user.attributes, sent);
      const plan = planUpdate(rules, user, values);
      const wanted = new Map(plan.attributes);
      // A value that is taken is refused at once, not only when it is confirmed.
      for (const contact of plan.holds) wanted.set(contact, plan.held.get(contact) ?? "");
      aliases.refuse(user, wanted);

      moveAliases(user, plan.attributes);
      user.held = plan.held;
      if (values.size > 0) {
        replace(user, plan.attributes);
        const written: Record<string, string> = {};
        for (const [name, value] of values) {
          const waits = plan.holds.some((contact) => name === contact || name === FLAGS[contact]);
          if (!waits) written[name] = value;
        }
        const held = plan.holds.length > 0 ? { held: plan.holds } : {};
        const beside = clientMetadata ? { clientMetadata } : {};
        log.append({ ...named(user), attributes: written, ...held, operation, ...beside });
      }
      for (const contact of plan.messages) message(user, contact);
      return plan;
    },

    create({ username, attributes: sent, forceAliasCreation, invite }) {
      const contact = signInContact(username);
      // A required e-mail address may come as the username alone.
      const values = checkCreation(
        schema,
        contact === undefined ? sent : [...sent, { name: contact, value: username }],
      );
      for (const alias of definition.aliasAttributes ?? []) {
        if (isContact(alias) && hasForm(alias, username)) {
          const form = alias === "email" ? "email" : "phone number";
          throw invalidParameter(
            `Username cannot be of ${form} format, since user pool is configured for ${form} alias.`,
          );
        }
      }
      const sub = randomUuid(random);
      const name = nameUser(username, values, sub);
      if (usernameAttributes.length > 0 && aliases.owner(username) !== undefined) {
        throw new ServiceError("UsernameExistsException", "User account already exists");
      }
      aliases.refuse(undefined, values);
      const [taken] = aliases.losers(undefined, values);
      if (taken !== undefined && !forceAliasCreation) {
        throw new ServiceError("AliasExistsException", `An account with the ${taken.contact} already exists.`);
      }
      const user = insert(name, sub, values, { status: "FORCE_CHANGE_PASSWORD" });
      log.append({ ...named(user), attributes: Object.fromEntries(values), operation: "AdminCreateUser" });
      for (const contact of invite) if (values.has(contact)) message(user, contact);
      return user;
    },
  };
}
