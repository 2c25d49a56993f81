/** An object without its undefined properties, as a type: what may be undefined may be absent instead. */
export type Defined<T extends object> = {
  [K in keyof T as undefined extends T[K] ? never : K]: T[K];
} & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/**
 * The object without the properties that are undefined: for whoever tells an absent property from an undefined one, such
 * as a document that is compared, or another's interface that allows no undefined.
 */
export function defined<T extends object>(object: T): Defined<T>;
export function defined(object: object): object {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}
