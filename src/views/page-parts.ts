/** What pages are put together from. Whatever comes from a feed or a pool is text, and never markup. */
import { printable } from "../core/masking.ts";

/** Text of poolsync's own, or a name that it has checked. */
export function text(content: string): string {
  return escaped(printable(content));
}

/**
 * A value or a name as it is: set apart from the direction of what stands around it, its spaces kept, and what nobody
 * would see of it named.
 */
export function value(content: string): string {
  return `<bdi>${escaped(content).replace(UNSEEN, (sign) => `<i>U+${(sign.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}</i>`)}</bdi>`;
}

/** What has no form of its own, moves others, or looks like a space and is none. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u115F\u1160\u3164\uFFA0]|(?! )\p{Zs}/gu;

function escaped(content: string): string {
  return content.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

/** A sentence whose names stand in backticks. */
export function marked(sentence: string): string {
  return text(sentence).replace(/`([^`]+)`/g, "<code>$1</code>");
}

/** The name of an attribute or a reason, which may be broken between its parts. */
export function name(content: string): string {
  return `<code>${text(content).replace(/[:_]/g, "$&<wbr>")}</code>`;
}

/** A cell with a number. */
export function cell(amount: string): string {
  return `<td class="n">${amount}</td>`;
}

/** For who hears the page: the heading above says it to who sees it. */
export function caption(content: string): string {
  return `<caption class="heard">${content}</caption>`;
}

/** What may be wider than the page: it is moved by itself, by keyboard too. */
export function region(name: string, content: string): string {
  return `<div class="wide" role="region" aria-label="${name}" tabindex="0">${content}</div>`;
}
