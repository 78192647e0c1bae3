/** What the site holds when it is new. */

/** The members; all have the same password. */
export const seedUsers: readonly string[] = ['ada', 'ben', 'chidi']

/** Their password where `SITE_PASSWORD` names none when the site is made. */
export const seedPassword = 'compost'

/** The posts, the oldest first. */
export const seedPosts: readonly { readonly author: string; readonly title: string; readonly body: string; readonly day: string }[] = [
  { author: 'ada', day: '2025-02-08', title: 'The shed has a roof again', body: 'Three pallets, forty screws, one thumb.\n\nThe tools are back inside. Please hang the forks with their points to the wall.' },
  { author: 'ben', day: '2025-02-23', title: 'Seed swap on Sunday', body: 'Bring what you have too much of. I have far too many courgettes, and I will not take any back.' },
  { author: 'chidi', day: '2025-03-09', title: 'First radishes', body: 'Eleven of them, each as large as a marble. We ate them on the bench, with salt.' },
  { author: 'ada', day: '2025-03-22', title: 'Who left the tap open?', body: 'Bed 4 is a pond now. The ducks are pleased; the onions less so.' },
  { author: 'ben', day: '2025-04-05', title: 'Frost, and how to say sorry to tomatoes', body: 'I know that I said it was warm enough.\n\nNew plants are on the window sill at home. Fleece & patience until May.' },
  { author: 'chidi', day: '2025-04-27', title: 'Der Igel ist zurück', body: 'Unter dem Reisighaufen, wie voriges Jahr. Bitte nicht stören, und keine Milch.' },
  { author: 'ada', day: '2025-05-11', title: 'Water rota', body: 'Monday and Thursday: Ada.\nTuesday and Friday: Ben.\nWednesday and Saturday: Chidi.\n\nSunday: rain, with luck.' },
  { author: 'ben', day: '2025-05-30', title: 'Bees moved in', body: 'They chose the hollow behind bed 7. Walk past slowly, and do not lean the bicycle there.' },
  { author: 'chidi', day: '2025-06-14', title: 'Strawberries: a warning', body: 'They are ripe. By the time that you read this they may not be there.' },
  { author: 'ada', day: '2025-06-29', title: 'Compost, explained', body: 'Green and brown in turns, never <only> grass. Turn it when you are angry.\n\nIt should smell of forest. If it smells of "drain", add cardboard.' },
  { author: 'ben', day: '2025-07-12', title: 'The great courgette problem', body: 'See my note of February. There are forty. I have begun to leave them on doorsteps.' },
  { author: 'chidi', day: '2025-08-03', title: 'Open gate on the first Sunday', body: 'Tea from eleven, cake until it is gone. Children may dig wherever there is a red flag.' },
  { author: 'ada', day: '2025-08-24', title: 'Tomatoes, at last', body: 'The fleece was worth it. Take the small yellow ones first: they split after rain.' },
]
