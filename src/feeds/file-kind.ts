/** What a file is that is no text, or no table and no JSON: told by its bytes, never by its name. */

export interface FileKind {
  /** After "is". */
  readonly what: string;
  /** What to do, after a semicolon. */
  readonly next: string;
}

const SAVE = "save it as CSV UTF-8 and give that file";
const UNPACK = "unpack it, and give the file that is in it";
const EXPORT = "ask the system that wrote it for CSV or JSON";

const XLSX: FileKind = { what: "an Excel workbook (.xlsx)", next: SAVE };
const ODS: FileKind = { what: "an OpenDocument spreadsheet (.ods)", next: SAVE };
const OFFICE: FileKind = { what: "a document of an office suite, and no spreadsheet", next: EXPORT };
const ZIPPED: FileKind = { what: "a ZIP archive", next: UNPACK };

/** By their first bytes. Sources: the file formats' own specifications, which are named where they are not obvious. */
const BY_HEAD: readonly (readonly [head: string, kind: FileKind])[] = [
  // Compound File Binary ([MS-CFB]): workbooks of Excel 97 to 2003, and all that have a password.
  [
    "\u00d0\u00cf\u0011\u00e0\u00a1\u00b1\u001a\u00e1",
    { what: "an old Excel workbook (.xls), or one with a password", next: `open it in Excel, ${SAVE}` },
  ],
  ["%PDF-", { what: "a PDF", next: EXPORT }],
  ["\u001f\u008b", { what: "packed with gzip twice", next: "unpack it once, and give what is in it" }],
  ["\u00fd7zXZ\0", { what: "packed with xz", next: UNPACK }],
  ["BZh", { what: "packed with bzip2", next: UNPACK }],
  ["\u0028\u00b5\u002f\u00fd", { what: "packed with Zstandard", next: UNPACK }],
  ["7z\u00bc\u00af\u0027\u001c", { what: "a 7z archive", next: UNPACK }],
  ["Rar!\u001a\u0007", { what: "a RAR archive", next: UNPACK }],
  ["{\\rtf", { what: "a text with formatting (RTF)", next: EXPORT }],
  ["-----BEGIN PGP", { what: "encrypted with PGP", next: "decrypt it, and give the file that is in it" }],
];
/** Where a block of a TAR archive says so (POSIX, pax). */
const TAR = { at: 257, mark: "ustar" } as const;
/** How many bytes of the beginning tell all of these. */
export const KIND_BYTES = 512;

/** Undefined where it may be a text. `head` is the beginning, of {@link KIND_BYTES} where there are so many. */
export function kindOfBytes(head: Buffer): FileKind | undefined {
  const text = head.subarray(0, KIND_BYTES).toString("latin1");
  if (text.startsWith("PK\u0003\u0004") || text.startsWith("PK\u0005\u0006")) return archiveKind(text);
  if (text.startsWith(TAR.mark, TAR.at)) return { what: "a TAR archive (.tar, .tgz)", next: UNPACK };
  return BY_HEAD.find(([start]) => text.startsWith(start) && (start !== "BZh" || isBzip2(text)))?.[1];
}

/** The level, and then the mark of a block or of the end: a text may begin with the letters alone. */
function isBzip2(text: string): boolean {
  return /^BZh[1-9]/.test(text) && ["1AY&SY", "\u0017rE8P\u0090"].some((mark) => text.startsWith(mark, 4));
}

/** By the names of the first entries, which stand in clear before each. */
function archiveKind(text: string): FileKind {
  if (text.includes("mimetypeapplication/vnd.oasis.opendocument.spreadsheet")) return ODS;
  if (text.includes("mimetypeapplication/vnd.oasis.opendocument")) return OFFICE;
  if (/(?:word|ppt)\//.test(text)) return OFFICE;
  if (/\[Content_Types\]\.xml|xl\/|_rels\/|docProps\//.test(text)) return XLSX;
  return ZIPPED;
}

/** Of a text that begins with `<`. */
export function kindOfMarkup(begin: string): FileKind {
  if (/^<!doctype html|^<html\b|^<head\b|^<body\b|^<table\b/i.test(begin)) {
    return {
      what: "a web page (HTML), as systems answer with where somebody has to sign in first",
      next: "look at the address and its credentials, or export it as CSV",
    };
  }
  if (begin.includes("urn:schemas-microsoft-com:office:spreadsheet")) {
    return { what: "an Excel workbook in XML", next: `open it in Excel, ${SAVE}` };
  }
  if (/\/soap\/envelope|\/soap-envelope/i.test(begin)) {
    return { what: "an answer of a web service (SOAP)", next: `${EXPORT} (Workday: \`format=json\`)` };
  }
  return { what: "XML", next: `${EXPORT} (Workday: \`format=json\`)` };
}
