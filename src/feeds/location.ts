/** Where a feed's file is: a path of this machine, a pattern of paths, or an address on the web or in S3. */

export type Location =
  | { readonly kind: "path"; readonly path: string }
  /** The newest file that matches. */
  | { readonly kind: "glob"; readonly pattern: string }
  | { readonly kind: "web"; readonly url: URL }
  | { readonly kind: "s3"; readonly bucket: string; readonly key: string };

/** What a location may be, for messages. */
export const LOCATION_FORM =
  "a path, a pattern such as exports/hr-*.csv, https://host/path or s3://bucket/key, and no credential in it";

/** Undefined for an address that is none of these. Whatever is no address is a path. */
export function parseLocation(text: string): Location | undefined {
  const [, scheme] = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text) ?? [];
  if (scheme === undefined) {
    return /[*?]/.test(text) ? { kind: "glob", pattern: text } : { kind: "path", path: text };
  }
  if (scheme.toLowerCase() === "s3") {
    const [, bucket, key] = /^s3:\/\/([^/?#]+)\/(.+)$/i.exec(text) ?? [];
    return bucket === undefined || key === undefined ? undefined : { kind: "s3", bucket, key };
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.username !== "" || url.password !== "") return undefined;
  return isSecure(url) ? { kind: "web", url } : undefined;
}

/** True for https, and for http to this machine: what goes anywhere else in clear could be read and changed. */
export function isSecure({ protocol, hostname }: URL): boolean {
  if (protocol === "https:") return true;
  return protocol === "http:" && ["127.0.0.1", "[::1]", "localhost"].includes(hostname);
}

/** What messages call it: without a query, which may hold a key. */
export function nameOf(location: Location): string {
  switch (location.kind) {
    case "path":
      return location.path;
    case "glob":
      return location.pattern;
    case "web":
      return location.url.origin + location.url.pathname;
    case "s3":
      return `s3://${location.bucket}/${location.key}`;
  }
}
