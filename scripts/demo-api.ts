import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { HOST } from './stack/ports.ts'

/** A small JSON API that wants a credential: what the demo's `weather` tool stands for. */
export interface DemoApi {
  url: string
  stop(): void
}

/** `POST {url}` with `{city}` and `Authorization: Bearer {token}` answers a forecast. */
export async function startDemoApi(port: number, token: string): Promise<DemoApi> {
  const server = createServer(forecast(token))
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, HOST, resolve))
  return {
    url: `http://${HOST}:${(server.address() as AddressInfo).port}/forecast`,
    stop() {
      server.close()
      server.closeAllConnections()
    },
  }
}

function forecast(token: string): RequestListener {
  return (request, response) => {
    const reply = (status: number, body: object): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }
    if (request.headers.authorization !== `Bearer ${token}`)
      return reply(401, { error: 'Send the API token of this service.' })
    void json(request)
      .then(cityOf, () => undefined)
      .then((city) => {
        if (city === undefined) reply(400, { error: 'Send {"city": "…"}.' })
        else reply(200, { city, forecast: 'sunny', celsius: 21 })
      })
  }
}

function cityOf(args: unknown): string | undefined {
  return typeof args === 'object' && args !== null && 'city' in args && typeof args.city === 'string'
    ? args.city
    : undefined
}
