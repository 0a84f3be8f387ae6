// A process that compares with pixelmatch, job after job, as worker.py does. Its packages are
// those of the folder named by the argument.

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.argv[2]}/package.json`);
const { default: pixelmatch } = await import(pathToFileURL(require.resolve("pixelmatch")));
const { PNG } = require("pngjs");
const jpeg = require("jpeg-js");

function read(path) {
  const file = readFileSync(path);
  return path.endsWith(".jpg") ? jpeg.decode(file, { maxMemoryUsageInMB: 4096 }) : PNG.sync.read(file);
}

console.log(JSON.stringify({ ready: true }));
for await (const line of createInterface({ input: process.stdin })) {
  const job = JSON.parse(line);
  const source = read(job.source);
  const { width, height } = source;
  const picture = new PNG({ width, height });
  pixelmatch(source.data, read(job.target).data, picture.data, width, height, job.options);
  writeFileSync(job.output, PNG.sync.write(picture));
  console.log(JSON.stringify({ mse: null }));
}
