-- The store's clock.
--
-- Output  epoch ms
return now_ms()
