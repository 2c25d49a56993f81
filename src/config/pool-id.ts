/** The id of a user pool, which begins with a Region where it is AWS's. */
export const POOL_ID = /^([A-Za-z0-9-]{1,54})_([A-Za-z0-9]+)$/;
const REGION = /^[a-z]{2,3}(-[a-z]+)+-\d+$/;

/** The Region that a pool's id begins with, if that is one. */
export function regionInId(id: string): string | undefined {
  const prefix = POOL_ID.exec(id)?.[1] ?? "";
  return REGION.test(prefix) ? prefix : undefined;
}
