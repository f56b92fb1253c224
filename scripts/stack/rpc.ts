/** One answer of a function, unjudged. */
export interface Answer {
  status: number
  /** Parsed JSON, or the text where it is none. */
  body: unknown
  headers: Headers
}

/** A callable request over plain HTTP: `POST {data}`. */
export async function post(url: string, data: unknown, bearer?: string, signal?: AbortSignal): Promise<Answer> {
  const headers = {
    'content-type': 'application/json',
    ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
  }
  const response = await fetch(url, {
    method: 'POST',
    headers,
    body: JSON.stringify({ data }),
    ...(signal && { signal }),
  })
  const text = await response.text()
  return { status: response.status, body: parse(text), headers: response.headers }
}

/** The result of a callable request. Errors: an answer other than 200. */
export async function callOrThrow<T>(url: string, data: unknown, bearer: string): Promise<T> {
  const { status, body } = await post(url, data, bearer)
  if (status !== 200) throw new Error(`${url} answered ${status}: ${JSON.stringify(body)}`)
  return (body as { result: T }).result
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
