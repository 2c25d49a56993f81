/** From what somebody asks of dead letters to the filters that the store knows. */
import { namedPool, type Config } from "../../config/config.ts";
import { defined } from "../../core/defined.ts";
import type { Engine } from "../../queues/engine.ts";
import type { LetterFilter } from "../../store/letters.ts";
import { openUsername } from "../../store/sealed-unit.ts";

export interface LetterRequest {
  readonly kind?: string;
  /** By id or by name. */
  readonly pool?: string;
  /** A username. */
  readonly user?: string;
  readonly attribute?: string;
  /** Epoch ms. */
  readonly since?: number;
  readonly until?: number;
  readonly limit?: number;
}

/**
 * The filters that the request means: one a user where a username is in several pools, none where nobody has letters by
 * that name. The letters themselves are looked through, so that no call to Cognito is needed.
 */
export async function filtersOf(
  engine: Engine,
  config: Config,
  request: LetterRequest,
): Promise<readonly LetterFilter[]> {
  const { kind, attribute, since, until, user } = request;
  const pool = request.pool === undefined ? undefined : namedPool(config, request.pool, "--pool").id;
  const filter: LetterFilter = defined({ pool, kind, unit: attribute, since, until });
  if (user === undefined) return [filter];
  const beginning = user.toLowerCase();
  const exact = new Set<string>();
  const alike = new Set<string>();
  for await (const letter of engine.store.letters.list(filter)) {
    const username = openUsername(engine.keyring, letter, letter.username);
    if (username === user || letter.user === user) exact.add(letter.user);
    else if (username?.toLowerCase() === beginning) alike.add(letter.user);
  }
  return [...(exact.size > 0 ? exact : alike)].map((key) => ({ ...filter, user: key }));
}
