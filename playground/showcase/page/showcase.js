// Puts into each card its try-out: the function that try/NAME.js exports for the application at /NAME.
for (const card of document.querySelectorAll('.card')) {
  const { path } = card.dataset
  import(`./try${path}.js`).then(
    ({ tryOut }) => tryOut(card.querySelector('.try'), `.${path}`),
    (error) => card.querySelector('.try').append(`This try-out cannot be loaded: ${error.message}`),
  )
}
