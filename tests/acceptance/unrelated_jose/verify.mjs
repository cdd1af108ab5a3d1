// What somebody else's library makes of our credentials: reads {jwks, tokens} from standard input and prints, for each token,
// the header and payload that it verified, or why it did not. It judges nothing, the test does.

import { readFileSync } from "node:fs";
import { compactVerify, createLocalJWKSet } from "jose";

const { jwks, tokens } = JSON.parse(readFileSync(0, "utf8"));
const keys = createLocalJWKSet(jwks);
const told = [];
for (const token of tokens) {
  try {
    const { payload, protectedHeader } = await compactVerify(token, keys);
    told.push({ payload: new TextDecoder().decode(payload), header: protectedHeader });
  } catch (error) {
    told.push({ refused: error.code });
  }
}
console.log(JSON.stringify(told));
