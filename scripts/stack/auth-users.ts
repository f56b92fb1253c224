/** Users of the Auth emulator, through the REST API that browsers use. */
export interface SignedIn {
  uid: string
  idToken: string
}

/**
 * Errors: EMAIL_EXISTS. `auth` is `host:port`. The emulator reads the clock twice: for when the user signed in, and then for since when tokens are
 * valid. Where a second ends in between, the token that it gives is revoked from the beginning, and signing in gives a good one.
 */
export async function signUp(auth: string, email: string, password: string): Promise<SignedIn> {
  const made = await identity(auth, 'signUp', email, password)
  const { auth_time: signedIn, iat: issued } = claimsOf(made.idToken)
  return signedIn < issued ? signIn(auth, email, password) : made
}

/** Errors: EMAIL_NOT_FOUND, INVALID_PASSWORD. */
export function signIn(auth: string, email: string, password: string): Promise<SignedIn> {
  return identity(auth, 'signInWithPassword', email, password)
}

async function identity(auth: string, method: string, email: string, password: string): Promise<SignedIn> {
  const response = await fetch(`http://${auth}/identitytoolkit.googleapis.com/v1/accounts:${method}?key=local`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email, password, returnSecureToken: true }),
  })
  const body = (await response.json()) as { localId: string; idToken: string; error?: { message: string } }
  if (body.error) throw new Error(body.error.message)
  return { uid: body.localId, idToken: body.idToken }
}

function claimsOf(idToken: string): { auth_time: number; iat: number } {
  return JSON.parse(Buffer.from(idToken.split('.')[1]!, 'base64url').toString()) as ReturnType<typeof claimsOf>
}
