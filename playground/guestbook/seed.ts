/** What the book holds when it is new. */
import type { Words } from './entries.ts'

/** The entries, the oldest first. */
export const seedEntries: readonly (Words & { readonly created: string })[] = [
  { created: '2010-04-02', name: 'Marta', place: 'Porto', message: 'First! The house is even nicer than on the pictures. We will be back in autumn.' },
  { created: '2010-04-19', name: 'Jürgen und Anke', place: 'Görlitz', message: 'Wegen der Aschewolke zwei Tage länger geblieben. Schöner kann man nicht festsitzen.' },
  { created: '2010-05-23', name: 'Oyelaran', place: 'Ibadan', message: 'Came for the conference, stayed for the breakfast.' },
  { created: '2010-06-12', name: 'The Hendersons (all six of us)', place: 'Leeds', message: 'The children say: swimming, the dog, swimming.\nThe parents say: silence after nine.' },
  { created: '2010-07-11', name: 'Núria', place: 'Girona', message: 'We watched the final in the kitchen. Sorry for the noise.' },
  { created: '2010-08-04', name: '美咲', place: '札幌', message: '静かで、とても居心地がよかったです。ありがとうございました。' },
  { created: '2010-09-18', name: 'Ben', place: '', message: 'If the tap on the second floor drips: a quarter turn to the left.' },
  { created: '2010-10-09', name: 'Marta', place: 'Porto', message: 'Back, as promised. The tap does not drip.' },
  { created: '2010-11-27', name: 'Ingeborg', place: 'Tromsø', message: 'You call this winter? <smiles>' },
  { created: '2010-12-31', name: 'Dmitri & Sons', place: 'Riga', message: 'Fireworks from the roof. Four of four stars, & one for luck.' },
  { created: '2011-02-13', name: 'Zoë', place: 'Utrecht', message: 'He asked on the bridge. I said yes.' },
  { created: '2011-03-20', name: 'Aroha', place: 'Whanganui', message: 'Three flights, two trains, one boat: worth each of them.' },
]
