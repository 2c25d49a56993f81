import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { kindOfBytes, kindOfMarkup } from "../../src/feeds/file-kind.ts";
import { feedError, readAll } from "./feed-file.ts";

const bytes = (text: string): Buffer => Buffer.from(text, "latin1");

/** The header of an entry of a ZIP, with its name; and, where it is not packed, what is in it. */
function entry(name: string, content = ""): Buffer {
  const header = Buffer.alloc(30);
  header.write("PK\u0003\u0004", "latin1");
  header.writeUInt16LE(name.length, 26);
  return Buffer.concat([header, bytes(name), bytes(content)]);
}

function tar(): Buffer {
  const block = Buffer.alloc(1024);
  block.write("people.csv");
  block.write("ustar\u000000", 257);
  return block;
}

const XZ = bytes("\u00fd7zXZ\u0000\u0000\u0004\u00e6\u00d6\u00b4\u0046");
const OLE = Buffer.concat([bytes("\u00d0\u00cf\u0011\u00e0\u00a1\u00b1\u001a\u00e1"), Buffer.alloc(600)]);
const ODS = entry("mimetype", "application/vnd.oasis.opendocument.spreadsheetPK");
const ODT = entry("mimetype", "application/vnd.oasis.opendocument.textPK");

const TOLD: readonly (readonly [string, Buffer, RegExp])[] = [
  ["a workbook", entry("[Content_Types].xml"), /an Excel workbook \(\.xlsx\); save it as CSV UTF-8/],
  ["a workbook of another writer", entry("xl/workbook.xml"), /an Excel workbook/],
  ["a document", Buffer.concat([entry("[Content_Types].xml"), entry("word/document.xml")]), /no spreadsheet/],
  ["an old workbook", OLE, /\.xls.*password; open it in Excel/],
  ["an OpenDocument spreadsheet", ODS, /\.ods/],
  ["an OpenDocument text", ODT, /no spreadsheet/],
  ["a ZIP", entry("people.csv", "a,b"), /a ZIP archive; unpack it/],
  ["an empty ZIP", bytes("PK\u0005\u0006" + "\0".repeat(18)), /a ZIP archive/],
  ["a PDF", bytes("%PDF-1.7\n%\u00e2\u00e3\u00cf\u00d3\n"), /a PDF; ask the system/],
  ["a TAR", tar(), /a TAR archive/],
  ["a tgz", gzipSync(tar()), /a TAR archive/],
  ["gzip in gzip", gzipSync(gzipSync("a,b\n")), /gzip twice/],
  ["xz", XZ, /xz/],
  ["bzip2", bytes("BZh91AY&SY\u0001"), /bzip2/],
  ["an empty bzip2", bytes("BZh9\u0017rE8P\u0090"), /bzip2/],
  ["Zstandard", zstdCompressSync(Buffer.from("a,b\n")), /Zstandard/],
  ["a 7z", bytes("7z\u00bc\u00af\u0027\u001c\0\u0004"), /7z/],
  ["a RAR", bytes("Rar!\u001a\u0007\u0001\0"), /RAR/],
  ["RTF", bytes("{\\rtf1\\ansi a,b}"), /RTF/],
  ["PGP", bytes("-----BEGIN PGP MESSAGE-----\n\n"), /decrypt it/],
];

describe("a file that is no text", () => {
  for (const [name, content, said] of TOLD) {
    test(`is told to be ${name}, whatever encoding is said`, async () => {
      for (const encoding of [undefined, "utf-16le", "windows-1252"]) {
        await assert.rejects(readAll(content, encoding), feedError("binary", said));
      }
    });
  }

  for (const text of ["BZh,a\n1,2\n", "PK,a\n1,2\n", "%PD,a\n", "Rar,a\n", '{"rtf":1}', "", "7z,a\n", "ustar\n"]) {
    test(`is not ${JSON.stringify(text)}`, () => assert.equal(kindOfBytes(Buffer.from(text)), undefined));
  }
});

describe("a text that begins with <", () => {
  for (const [text, said] of [
    ["<!DOCTYPE html><html><head>", /web page.*sign in/],
    ["<html lang='de'>", /web page/],
    [
      '<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet">',
      /Excel workbook in XML/,
    ],
    ['<env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/">', /SOAP/],
    ['<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">', /SOAP/],
    ['<?xml version="1.0"?><wd:Report_Data xmlns:wd="urn:com.workday.report/R">', /^XML$/],
  ] as const) {
    test(`is told to be ${said.source}: ${text.slice(0, 30)}`, () => assert.match(kindOfMarkup(text).what, said));
  }
});
