//! What `--help` says after the options: where keys are looked for, and how each command exits.

pub(super) const ABOUT_KEYS: &str = "\
KEYS
  The key is looked for in this order; the first place that has one decides:
  --key-file, --passphrase-file, --passphrase-command, --identity-file; VAULT_KEY_FILE,
  VAULT_PASSPHRASE_FILE, VAULT_PASSPHRASE_COMMAND, VAULT_IDENTITY_FILE; vault.key and vault.passphrase in $CREDENTIALS_DIRECTORY; the default key file
  ($XDG_CONFIG_HOME/vault/key, ~/.config/vault/key, for root /etc/vault/key); a prompt on the terminal.";

pub(super) const EXIT_ALL: &str = "\
EXIT STATUS
  0 done: all of it    1 any other failure   2 usage, or a choice only you can make
  3 done, with warnings                      10 no such backup or store
  11 it is there already                     12 the key or passphrase is not the one
  13 damaged          14 missing             15 the producer or the consumer failed, or the dump is not whole
  16 the store cannot be reached, read or written
  17 a key in escrow does not open what it should
  18 a newer version or unknown feature      19 a limit of the format
  130, 143 SIGINT, SIGTERM                   141 the reader of the output went away
  Any other code is a failure too.";

pub(super) const EXIT_KEY: &str = "\
EXIT STATUS
  0 the key file is made   1 it cannot be written   2 usage   11 there is a file of that name";

pub(super) const EXIT_CHECK: &str = "\
EXIT STATUS
  0 everything opens, as far as it was looked at: the last line says how far
  3 so it does, and something is to be seen to: a slot that nobody has checked for longer than --max-age, or that was
    removed and is still in backups, a newer backup of an earlier epoch, a catalogue, a check that could not be recorded
  17 a backup would not open   2 usage   10 no such backup or store
  12, 13, 18, 19 the key file that was given cannot be used   16 the store cannot be read";

pub(super) const EXIT_EXPORT: &str = "\
EXIT STATUS
  0 the sheets are written   1 they cannot be written   2 usage   11 there is a file of that name
  12, 13, 18, 19 the key file cannot be used";

pub(super) const EXIT_IMPORT: &str = "\
EXIT STATUS
  0 the key file is made   1 it cannot be written   2 usage, or too few shares   11 there is a file of that name
  12 the shares are not of one key   13 mistyped: the message names the group   19 too much text";

pub(super) const EXIT_PACK_ONLY: &str = "\
EXIT STATUS
  0 the key is written     1 it cannot be written   2 usage   11 there is a file of that name
  12 the key at hand is pack-only itself, or the passphrase is not the one";
pub(super) const EXIT_KEY_EDIT: &str = "\
EXIT STATUS
  0 the key file is changed, and with --rewrap the backups are   1 it cannot be written
  2 usage   3 done, and some backup could not be changed   10 no such slot   12, 13, 18, 19 the key file cannot be used
  16 the key file is changed, and not all backups: `vault key rewrap` goes on";

pub(super) const EXIT_KEY_LIST: &str = "\
EXIT STATUS
  0 done   2 usage   12, 13, 18, 19 the key file cannot be used";

pub(super) const EXIT_KEY_REWRAP: &str = "\
EXIT STATUS
  0 every backup has the slots of the key file   2 usage, or a backup has newer ones
  3 done, and some backup could not be changed   10 no such store   12, 13, 18, 19 the key file cannot be used
  16 the store cannot be read or written: the same command goes on";

pub(super) const EXIT_PACK: &str = "\
EXIT STATUS
  0 the backup is stored and durable
  3 it is, and a warning tells that it is marked as incomplete or shrunk, or what is wrong in the store or the cache
  2 usage                 12 the key or passphrase is not the one
  15 the command failed, the input broke off, is empty, cut short or (--refuse-shrink) shrunk, or took too long
  16 the store cannot be reached, read or written
  130, 143 SIGINT, SIGTERM
  Any other code is a failure too. After a failure there is no new backup, and earlier ones are as they were.";

pub(super) const EXIT_UNPACK: &str = "\
EXIT STATUS
  0 all that was asked for was written, and its digests agree
  3 so it was, and a warning tells what of it the dump may not have
  2 usage, or a choice    10 no such backup or table       11 the output file exists
  12 the key or passphrase is not the one         13 damaged          14 an object is missing
  15 the command failed, or did not read all      16 the store cannot be read
  130, 143 SIGINT, SIGTERM                        141 the reader of the output went away
  Any other code is a failure too. After a failure what was written is incomplete.";

pub(super) const EXIT_LIST: &str = "\
EXIT STATUS
  0 done   3 done, and some manifest is not what it should be, or the passphrase was of no use   2 usage
  10 no such store   12, 13, 18, 19 the key file that was given cannot be used   16 the store cannot be read";

pub(super) const EXIT_SHOW: &str = "\
EXIT STATUS
  0 done   2 usage, or several backups match   10 no such backup or store
  3 done, and a warning tells why the passphrase was of no use, or what the dump map lacks
  13 the manifest is damaged   16 the store cannot be read   18, 19 it is not of this version";

pub(super) const EXIT_DIFF: &str = "\
EXIT STATUS
  0 done   2 usage, or one of them has no dump map   10 no such backup or store
  3 done, and a warning tells what of a dump is not in its map, or that it was not whole
  12 the key or passphrase is not the one   13 damaged   14 an object is missing   16 the store cannot be read";

pub(super) const EXIT_VERIFY: &str = "\
EXIT STATUS
  0 nothing is wrong, as far as it was looked at: the first line says how far, and that of each backup whether its
    dump was whole when it was packed
  3 so it is, and a warning tells why the passphrase was of no use
  2 usage   10 no such backup or store   12 of another key
  13 damaged   14 an object is missing   16 the store cannot be read
  18, 19 not of this version   With several findings, the worst decides.";

pub(super) const EXIT_ACCEPT: &str = "\
EXIT STATUS
  0 the backup counts as good   2 usage, several backups match, or it is not marked as shrunk   10 no such backup or store
  12 the key or passphrase is not the one   13 the manifest is damaged
  16 the store cannot be read or written, or somebody else changed the manifest meanwhile";

pub(super) const EXIT_REBUILD: &str = "\
EXIT STATUS
  0 the manifest is written   2 usage   10 no part of that backup is there   11 the manifest exists
  12 the key or passphrase is not the one   13 damaged   14 a part is missing   16 the store cannot be read or written";

pub(super) const ABOUT_LEGACY_KEYS: &str = "\
THE OLD KEY
  It is the first line of --legacy-key-file, what --legacy-key-command prints, or what is typed at a prompt; never an
  argument. MD5 and SHA-256 are tried in this order. The archive does not tell whether PBKDF2 was used: say so.

CHECKS
  Nothing in such an archive is authenticated: whoever could write to it can have changed it, and that cannot be seen.
  What shows damage stands at its end. Therefore it is decoded twice: once to see that padding, gzip and the end of the
  dump are right, and again for what is written. A file appears when it is whole, so that once is enough.
  From standard input a copy is kept meanwhile, encrypted as it is, in an unnamed file in $TMPDIR (/tmp).";

pub(super) const EXIT_LEGACY_UNPACK: &str = "\
EXIT STATUS
  0 the whole dump was written
  2 usage, or a choice that only you can make
  10 no such archive, or it is a backup of vault's 11 the output file exists
  12 the old key is not the one                    13 damaged or cut       14 a part is missing
  15 the dump in it is empty or cut short, or the command failed           16 the store cannot be read
  130, 143 SIGINT, SIGTERM                         141 the reader of the output went away
  Any other code is a failure too. After a failure what was written is incomplete.";

pub(super) const EXIT_LEGACY_IMPORT: &str = "\
EXIT STATUS
  0 the backup is stored and durable
  3 it is, and a warning tells that it is marked as incomplete or shrunk, or what is wrong in the store or the cache
  2 usage, or a choice that only you can make      10 no such archive, or it is a backup of vault's
  12 the old key, or the key of the new backup, is not the one
  13 the archive is damaged or cut                 14 a part of it is missing
  15 the dump in it is empty or cut short          16 the store cannot be reached, read or written
  130, 143 SIGINT, SIGTERM
  Any other code is a failure too. After a failure there is no new backup, and the archive is as it was.";
