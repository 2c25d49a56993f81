import { defined } from "../core/defined.ts";
import { createAliases } from "./alias.ts";
import type { Aliases } from "./alias.ts";
import { checkCreation, checkUpdate } from "./attribute-check.ts";
import type { SentAttribute } from "./attribute-check.ts";
import { planUpdate } from "./attribute-update.ts";
import type { ContactRules, UpdatePlan } from "./attribute-update.ts";
import { FLAGS } from "./contact.ts";
import type { Contact } from "./contact.ts";
import type { Counters } from "./counters.ts";
import type { PoolDefinition, UserSeed } from "./pool-definition.ts";
import { createPoolUsers } from "./pool-users.ts";
import type { PoolUsers } from "./pool-users.ts";
import { randomUuid } from "./random.ts";
import type { Random } from "./random.ts";
import { createSchema } from "./schema.ts";
import type { Schema } from "./schema.ts";
import { ServiceError, namedError } from "./service-error.ts";
import { createSignInNames, usernameExists } from "./sign-in-name.ts";
import type { SignInNames } from "./sign-in-name.ts";
import { viewUser } from "./user.ts";
import type { User, UserView } from "./user.ts";
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
   * Its username and aliases are free at once; any other user who has its address keeps it as it is, verified or not.
   * Throws UserNotFoundException.
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

/** What the steps of a pool share. */
interface PoolParts extends Pick<PoolContext, "random" | "log"> {
  readonly id: string;
  readonly schema: Schema;
  readonly aliases: Aliases;
  readonly users: PoolUsers;
  readonly names: SignInNames;
  readonly rules: ContactRules;
  /** True where people sign in with a contact, and with no name. */
  readonly signsInByContact: boolean;
  readonly message: (user: User, attribute: Contact) => void;
}

export function createUserPool(id: string, definition: PoolDefinition, context: PoolContext): ServedPool {
  const { now, random, log, counters, listLagMs, takesSubs } = context;
  const schema = createSchema(definition.schema ?? []);
  const directory = createUserDirectory({ caseSensitive: definition.caseSensitive ?? true });
  const aliases = createAliases(definition, directory);
  const users = createPoolUsers({ directory, aliases, now, listLagMs });
  const messages: Message[] = [];
  const parts: PoolParts = {
    id,
    random,
    log,
    schema,
    aliases,
    users,
    names: createSignInNames(definition, directory),
    rules: {
      autoVerified: new Set(definition.autoVerified),
      heldBack: new Set(definition.requireVerificationBeforeUpdate),
    },
    signsInByContact: (definition.usernameAttributes ?? []).length > 0,
    message(user, attribute) {
      messages.push({ username: user.username, attribute });
      counters.messages[attribute] += 1;
    },
  };

  return {
    id,
    arn: `arn:aws:cognito-idp:${id.slice(0, id.lastIndexOf("_"))}:${ACCOUNT}:userpool/${id}`,
    name: definition.name ?? id,
    createdAt: now(),
    definition,
    schema,
    directory,
    messages,
    get size() {
      return directory.users.length;
    },
    find: (name) => users.look(name, takesSubs),
    user(name) {
      const user = users.look(name);
      return user === undefined ? undefined : viewUser(user);
    },
    addUser: (seed) => viewUser(seedUser(parts, seed)),
    removeUser(name) {
      const user = demandUser(parts, name);
      directory.remove(user, now());
      log.append({ ...nameIn(parts, user), attributes: {}, operation: "AdminDeleteUser" });
    },
    confirm: (name, contact) => confirmContact(parts, demandUser(parts, name), contact),
    update: (user, sent, by) => updateUser(parts, user, sent, by),
    create: (request) => createUser(parts, request),
  };
}

function demandUser({ users }: PoolParts, name: string): User {
  const user = users.look(name);
  if (user === undefined) throw namedError("UserNotFoundException");
  return user;
}

/** How the log names a user. */
function nameIn({ id }: PoolParts, { username, sub }: User): { pool: string; username: string; sub: string } {
  return { pool: id, username, sub };
}

function seedUser({ schema, random, names, aliases, users }: PoolParts, seed: UserSeed): User {
  const attributes = new Map<string, string>();
  for (const name in seed.attributes) {
    const value = seed.attributes[name];
    if (!schema.has(name) || name === "sub")
      throw new RangeError(`Expected an attribute of the schema, got \`${name}\``);
    if (value !== undefined && value !== "") attributes.set(name, value);
  }
  const sub = seed.sub ?? randomUuid(random);
  const username = names.nameUser(seed.username, attributes, sub);
  aliases.refuse(undefined, attributes);
  return users.insert(username, sub, attributes, seed);
}

function confirmContact(parts: PoolParts, user: User, contact: Contact): void {
  const { aliases, users, log } = parts;
  const value = user.held.get(contact) ?? user.attributes.get(contact);
  if (value === undefined) throw new RangeError(`Expected a user with a value of \`${contact}\` to confirm`);
  const attributes = new Map(user.attributes).set(contact, value).set(FLAGS[contact], "true");
  aliases.refuse(user, attributes);
  users.moveAliases(user, attributes);
  const held = new Map(user.held);
  held.delete(contact);
  user.held = held;
  users.replace(user, attributes);
  const written = { [contact]: value, [FLAGS[contact]]: "true" };
  log.append({ ...nameIn(parts, user), attributes: written, operation: "VerifyUserAttribute" });
}

function updateUser(
  parts: PoolParts,
  user: User,
  sent: readonly SentAttribute[],
  { operation, clientMetadata }: UpdateCall,
): UpdatePlan {
  const { schema, rules, aliases, users, log, message } = parts;
  const values = checkUpdate(schema, user.attributes, sent);
  const plan = planUpdate(rules, user, values);
  const wanted = new Map(plan.attributes);
  // A value that is taken is refused at once, not only when it is confirmed.
  for (const contact of plan.holds) wanted.set(contact, plan.held.get(contact) ?? "");
  aliases.refuse(user, wanted);

  users.moveAliases(user, plan.attributes);
  user.held = plan.held;
  if (values.size > 0) {
    users.replace(user, plan.attributes);
    const written: Record<string, string> = {};
    for (const [name, value] of values) {
      const waits = plan.holds.some((contact) => name === contact || name === FLAGS[contact]);
      if (!waits) written[name] = value;
    }
    const held = plan.holds.length > 0 ? plan.holds : undefined;
    log.append({
      ...nameIn(parts, user),
      attributes: written,
      ...defined({ held, clientMetadata: clientMetadata ?? undefined }),
      operation,
    });
  }
  for (const contact of plan.messages) message(user, contact);
  return plan;
}

function createUser(parts: PoolParts, { username, attributes: sent, forceAliasCreation, invite }: NewUser): User {
  const { schema, random, names, aliases, users, log, message } = parts;
  const contact = names.contactOf(username);
  // A required e-mail address may come as the username alone.
  const values = checkCreation(schema, contact === undefined ? sent : [...sent, { name: contact, value: username }]);
  names.refuseAliasForm(username);
  const sub = randomUuid(random);
  const name = names.nameUser(username, values, sub);
  if (parts.signsInByContact && aliases.owner(username) !== undefined) throw usernameExists();
  aliases.refuse(undefined, values);
  const [taken] = aliases.losers(undefined, values);
  if (taken !== undefined && !forceAliasCreation) {
    throw new ServiceError("AliasExistsException", `An account with the ${taken.contact} already exists.`);
  }
  const user = users.insert(name, sub, values, { status: "FORCE_CHANGE_PASSWORD" });
  log.append({ ...nameIn(parts, user), attributes: Object.fromEntries(values), operation: "AdminCreateUser" });
  for (const invited of invite) if (values.has(invited)) message(user, invited);
  return user;
}
