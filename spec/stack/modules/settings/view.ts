import { HttpResponse } from '../../../../lib/stack/index.ts'

export default function view(): HttpResponse {
  return HttpResponse.text('the default export')
}
