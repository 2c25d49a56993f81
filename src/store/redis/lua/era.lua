-- Names the process of the server that has the namespace: another one orders hashes otherwise.
--
-- Output  its run id
return string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
