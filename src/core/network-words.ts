/** What went wrong between this machine and an endpoint, in words. */
const WORDS: readonly (readonly [code: RegExp, words: string])[] = [
  [/^ECONNREFUSED$/, "the connection was refused, as where nothing listens"],
  [/^(ENOTFOUND|EAI_FAIL)$/, "its name does not resolve"],
  [/^EAI_AGAIN$/, "its name could not be resolved just now"],
  [/^(EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|ENETDOWN)$/, "no way leads there from this machine"],
  [/^(ECONNRESET|ECONNABORTED|EPIPE|UND_ERR_SOCKET)$/, "the connection was cut"],
  [/^(EPROTO|ERR_SSL_\w+)$/, "no TLS is spoken there"],
  [/^(HTTPParserError|HPE_\w+)$/, "no HTTP is spoken there"],
  [/CERT|^UNABLE_TO_/, "its certificate is not trusted here"],
];

/** `name` is an error's own code. The words with the code behind them; undefined for any other error. */
export function networkWords(name: string): string | undefined {
  const [, words] = WORDS.find(([code]) => code.test(name)) ?? [];
  return words && `${words} (${name})`;
}
