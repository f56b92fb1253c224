import { isSecretHeader, secretIn } from '../../egress/url-secret.ts'
import type { ToolDoc } from '../../store/documents.ts'

/** What an owner should look at in a registration. */
export function warningsOf({ url, urlIsPublic, headers }: Pick<ToolDoc, 'url' | 'urlIsPublic' | 'headers'>): string[] {
  const secrets = Object.keys(headers).filter((name) => isSecretHeader(name, headers[name]!))
  return [
    ...(urlIsPublic === null ? [undecided(url)] : []),
    ...secrets.map(
      (name) =>
        `The header ${JSON.stringify(name)} looks as if it held a credential. Static headers are stored unencrypted, owners see them, and they are not taken out of answers; the tool's credential belongs in authToken.`,
    ),
  ]
}

/** Of a registration from before URLs were looked at. */
function undecided(url: string): string {
  const found = secretIn(url)
  const what =
    found === null
      ? ''
      : ` ${capitalized(found)} looks like a secret: replace it at its service, since the audit log keeps it.`
  return `This tool was registered before URLs were checked for secrets, so its agent is shown the origin alone.${what} Register it again, with {{credential}} where the URL holds a secret.`
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
