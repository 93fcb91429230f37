// Runs the checks of client.mjs for one endpoint after another, so that the SDKs are loaded once.
//
// Each line of the input is a list: the era, the URL, the profile, its prefix, and the checks to leave out. The output
// is that of client.mjs, with the line `end` after each endpoint.

import { createInterface } from "node:readline";
import { run } from "./client.mjs";

for await (const line of createInterface({ input: process.stdin })) {
  const [era, url, profile, prefix, gaps] = JSON.parse(line);
  await run(era, url, prefix ? `${profile}=${prefix}` : profile, gaps);
  console.log("end");
}
