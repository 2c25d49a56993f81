-- Sets counters aside that were found broken by a reader outside of scripts.
--
-- KEYS[1] books   KEYS[2] pools   KEYS[3] letter-times
-- ARGV[1] `books` or `pools`   ARGV[2] and so on: the runs, blank for the total, or the pools
-- Output  1
for n = 2, #ARGV do
  if ARGV[1] == 'books' then mend_books(KEYS[1], ARGV[n]) else mend_letters(KEYS[2], ARGV[n], KEYS[3]) end
end
return 1
