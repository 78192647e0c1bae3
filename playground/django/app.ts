/**
 * A Django site behind `fromUwsgi`: real uWSGI runs it, as a child of this process, and HTTP/2 and TLS stand before it.
 * To start it, on Debian:
 *
 *     apt-get install uwsgi-core uwsgi-plugin-python3 python3-django
 *     npx tsgi playground/django/app.ts
 *
 * then open /admin/ and log in as admin, with the password admin.
 */
import { application, type Application } from 'tsgi'
import { fromUwsgi } from 'tsgi/adapters/uwsgi'
import { hasDjango, startSite, type Site } from './uwsgi.ts'

/** Whether it can run here. */
export const installed: boolean = hasDjango()

/** The site once somebody has asked for it: to start it takes seconds. */
class LateSite {
  #site: Promise<Site> | null = null
  #application: Promise<Application> | null = null

  application(): Promise<Application> {
    return this.#application ??= (this.#site = startSite()).then(({ upstream }) => fromUwsgi(upstream))
  }

  async stop(): Promise<void> {
    await (await this.#site)?.stop()
  }
}

const app: Application = application({
  lifespan: async function* () {
    const site = new LateSite()
    try {
      yield { site }
    } finally {
      await site.stop()
    }
  },
  http: async (scope, receive, send) => {
    const django = await scope.state.site.application()
    await django(scope, receive, send as Parameters<Application>[2])
  },
})

export default app
