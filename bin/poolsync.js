#!/usr/bin/env node
"use strict";
// Old syntax only, see launch.js.

var existsSync = require("fs").existsSync;
var path = require("path");
var launch = require("./launch.js");

// A checkout runs its sources. An installed package holds JavaScript, as Node strips no types under node_modules.
var source = path.join(__dirname, "..", "src", "cli", "main.ts");
launch(existsSync(source) ? source : path.join(__dirname, "..", "dist", "cli", "main.js"));
