// What somebody else's client does at the stand-in: `drive.mjs calls`, or `drive.mjs signatures`.
// Reads one JSON value from standard input and prints one; it judges nothing, the test does.

import { readFileSync } from "node:fs";
import razorpay from "razorpay";
import { RazorpayX, RazorpayXError } from "razorpayx-sdk";

async function refusalOf(call) {
  try {
    await call();
    return null;
  } catch (error) {
    if (!(error instanceof RazorpayXError)) throw error;
    return { status: error.statusCode, code: error.code, description: error.message, field: error.field, reason: error.reason };
  }
}

async function calls({ baseUrl, keyId, keySecret, account, wrongSecret }) {
  const client = new RazorpayX({ keyId, keySecret, baseUrl, timeout: 20000 });
  const stranger = new RazorpayX({ keyId, keySecret: wrongSecret, baseUrl, timeout: 20000 });
  const person = { name: "Amina Hassan", type: "employee", reference_id: "T-UNRELATED", notes: { user_type: "TEACHER" } };
  const contact = await client.contacts.create(person);
  const sameContact = await client.contacts.create(person);
  const vpa = { contact_id: contact.id, account_type: "vpa", vpa: { address: "amina@okaxis" } };
  const fundAccount = await client.fundAccounts.create(vpa);
  const sameFundAccount = await client.fundAccounts.create(vpa);
  const order = (amount, reference, more) => ({
    account_number: account,
    fund_account_id: fundAccount.id,
    amount,
    currency: "INR",
    mode: "UPI",
    purpose: "payout",
    queue_if_low_balance: true,
    reference_id: reference,
    narration: "SDCRS payout",
    ...more,
  });
  const balanceBefore = await client.balances.fetch();
  const paid = await client.payouts.create(order(50000, "UNRELATED-1"), "unrelated-key-1");
  const paidAgain = await client.payouts.create(order(50000, "UNRELATED-1"), "unrelated-key-1");
  const queued = await client.payouts.create(order(6_000_000, "UNRELATED-2"), "unrelated-key-2");
  const answers = {
    contact,
    sameContact,
    contactRead: await client.contacts.fetch(contact.id),
    contactOff: await client.contacts.deactivate(contact.id),
    contactOn: await client.contacts.activate(contact.id),
    contactChanged: await client.contacts.update(contact.id, { email: "amina@example.org" }),
    contacts: await client.contacts.all({ reference_id: "T-UNRELATED", count: 100 }),
    fundAccount,
    sameFundAccount,
    fundAccountRead: await client.fundAccounts.fetch(fundAccount.id),
    fundAccountOff: await client.fundAccounts.deactivate(fundAccount.id),
    fundAccountOn: await client.fundAccounts.activate(fundAccount.id),
    fundAccounts: await client.fundAccounts.all({ contact_id: contact.id }),
    balanceBefore,
    paid,
    paidAgain,
    queued,
    payoutRead: await client.payouts.fetch(paid.id),
    cancelled: await client.payouts.cancel(queued.id),
    payouts: await client.payouts.all({ account_number: account, fund_account_id: fundAccount.id, count: 100 }),
    secondPage: await client.payouts.all({ account_number: account, count: 1, skip: 1 }),
    transactions: await client.transactions.all({ account_number: account, count: 100 }),
    balanceAfter: await client.balances.fetch(),
  };
  answers.transactionRead = await client.transactions.fetch(answers.transactions.items[0].id);
  answers.refused = {
    withoutKey: await refusalOf(() => client.payouts.create(order(50000, "UNRELATED-3"))),
    keyWithColon: await refusalOf(() => client.payouts.create(order(50000, "UNRELATED-3"), "payout:3")),
    otherBody: await refusalOf(() => client.payouts.create(order(60000, "UNRELATED-1"), "unrelated-key-1")),
    cancelledTwice: await refusalOf(() => client.payouts.cancel(queued.id)),
    withoutAccount: await refusalOf(() => client.payouts.all({})),
    tooMany: await refusalOf(() => client.payouts.all({ account_number: account, count: 101 })),
    nobody: await refusalOf(() => client.contacts.fetch("cont_00000000000000")),
    stranger: await refusalOf(() => stranger.balances.fetch()),
  };
  return answers;
}

function signatures(deliveries) {
  return deliveries.map(({ body, signature, secret }) => razorpay.validateWebhookSignature(body, signature, secret));
}

const given = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(process.argv[2] === "calls" ? await calls(given) : signatures(given)));
