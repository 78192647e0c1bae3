/** Asks the JSON interface for the newest notes. */
export function tryOut(place, url) {
  place.innerHTML = `
    <div class="row"><button type="button">What is new?</button><span class="note">Its pages: <a href="${url}/posts">${url}/posts</a></span></div>
    <output aria-label="The newest notes"></output>`
  const [button, output] = place.querySelectorAll('button, output')
  button.addEventListener('click', async () => {
    try {
      const { posts, total } = await (await fetch(`${url}/api/posts`)).json()
      output.value = [...posts.map(({ day, author, title }) => `${day} ${author}: ${title}`), `… ${total} in all`].join('\n')
    } catch (error) {
      output.value = `That failed: ${error.message}`
    }
  })
}
