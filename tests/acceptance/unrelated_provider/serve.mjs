// An OpenID provider of other people, set up as a state would: one client, a teacher's claims under a scope of their own.
// What to serve comes as JSON on the command line; the provider's own sign-in and consent pages stand as they are.
import Provider from "oidc-provider";

const given = JSON.parse(process.argv[2]);
const claims = ["emp_id", "designation", "school_code", "school_name", "district_code", "upi_vpa", "status"];
const provider = new Provider(given.issuer, {
  clients: [
    {
      client_id: given.clientId,
      client_secret: given.clientSecret,
      redirect_uris: given.redirectUris,
      application_type: "native",
      id_token_signed_response_alg: given.algorithm,
      grant_types: ["authorization_code"],
      response_types: ["code"],
    },
  ],
  jwks: { keys: given.keys },
  scopes: ["openid", "profile", "employee"],
  claims: { openid: ["sub"], profile: ["name", "email"], employee: claims },
  conformIdTokenClaims: given.claimsAtUserInfoOnly,
  pkce: { required: () => true },
  findAccount: (_context, id) => ({
    accountId: id,
    claims: () => ({ ...given.teacher, sub: id, emp_id: id, email: `${id.toLowerCase()}@example.org` }),
  }),
  cookies: { keys: ["cookies of a test"] },
});
provider.listen(given.port, "127.0.0.1");
