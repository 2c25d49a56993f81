"use strict";
// Old syntax only: an old Node must be able to read this file, or its user meets a syntax error instead of the fix.

var nodeModule = require("module");
var path = require("path");
var pathToFileURL = require("url").pathToFileURL;

var OLDEST = [24, 12];
var WRONG_USAGE = 64;

/** Runs a TypeScript or JavaScript file with the Node that runs this one, or says which Node is needed. */
function launch(file) {
  var version = process.versions.node.split(".").map(Number);
  if (version[0] < OLDEST[0] || (version[0] === OLDEST[0] && version[1] < OLDEST[1])) {
    process.stderr.write(
      "poolsync needs Node.js " +
        OLDEST.join(".") +
        " or newer and this is " +
        process.version +
        ": install Node.js 24 (https://nodejs.org), or use a checkout, where `npm ci` brings the right Node.js " +
        "to `npm run -s poolsync`.\n",
    );
    process.exit(WRONG_USAGE);
  }
  cacheCode();
  import(pathToFileURL(file).href).catch(function (error) {
    process.stderr.write(String((error && error.stack) || error) + "\n");
    process.exit(1);
  });
}

/**
 * Keeps what Node makes of the sources: a process starts in half the time. In the user's own folder, as Node's default
 * is one that others may write to. Without one, or where it cannot be written to, nothing is kept.
 */
function cacheCode() {
  var home = process.env.HOME;
  var caches = process.env.XDG_CACHE_HOME || (home && path.join(home, ".cache"));
  if (caches && !process.env.NODE_COMPILE_CACHE) nodeModule.enableCompileCache(path.join(caches, "poolsync"));
}

module.exports = launch;

if (require.main === module) {
  // The file that is run finds its arguments where it would without this launcher.
  process.argv.splice(1, 1);
  process.argv[1] = path.resolve(process.argv[1]);
  launch(process.argv[1]);
}
