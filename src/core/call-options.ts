/**
 * How values are sent: what goes with the call, and with whose rights it is made. It belongs to the change, stays with
 * each of its values, and is no part of them: equal values are equal in whatever manner they are to be sent.
 */
export interface CallOptions {
  /** What the pool's Lambda triggers are given with the call. */
  readonly clientMetadata?: Readonly<Record<string, string>>;
  /**
   * The user's own access token: the call is UpdateUserAttributes, with the user's rights. Blank where the token is
   * gone: such a change is never made with an administrator's rights. Absent: AdminUpdateUserAttributes.
   */
  readonly token?: string;
}

/** Names of values that go in one call, if they can. */
export interface Together {
  readonly callOptions: CallOptions;
  readonly names: readonly string[];
}

/** The same text for values that may share a call. */
export function callOptionsKey({ clientMetadata = {}, token }: CallOptions): string {
  return JSON.stringify([token ?? null, Object.entries(clientMetadata).toSorted(([a], [b]) => (a < b ? -1 : 1))]);
}

/** Which values go together, by name: in the order of the oldest version of each. */
export function together(
  names: Iterable<string>,
  optionsOf: (name: string) => CallOptions,
  versionOf: (name: string) => string,
): Together[] {
  const groups = new Map<string, { callOptions: CallOptions; names: string[]; oldest: string }>();
  for (const name of names) {
    const callOptions = optionsOf(name);
    const version = versionOf(name);
    const key = callOptionsKey(callOptions);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { callOptions, names: [name], oldest: version });
    else {
      group.names.push(name);
      if (version < group.oldest) group.oldest = version;
    }
  }
  return [...groups.values()].toSorted((a, b) => (a.oldest < b.oldest ? -1 : 1));
}

/**
 * Whether a refusal that is not one value's fault speaks of the other as well. Of a token it speaks only to what goes
 * with that token; a Lambda trigger may have refused what it was given beside the values.
 */
export function sharesFate(refused: CallOptions, other: CallOptions, byLambda: boolean): boolean {
  return byLambda ? callOptionsKey(refused) === callOptionsKey(other) : refused.token === other.token;
}
